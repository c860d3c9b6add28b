"""Write cases.json: what each task (toolkit/tasks) makes of a tail's answer; the phone libraries must make the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.tasks._guess import task_class

HERE = Path(__file__).parent
LABELS = ["ground", "plant", "sky"]
#: task, settings, the shapes of the outputs
CASES: list[tuple[str, dict[str, float], list[tuple[int, ...]]]] = [
    ("classify", {}, [(7,)]),
    ("multilabel", {}, [(9,)]),
    ("multilabel", {"threshold": 0.5}, [(3,)]),
    ("multilabel", {"threshold": 1000.0}, [(3,)]),
    ("embed", {}, [(16,)]),
    ("segment", {}, [(5, 4, 6)]),
    ("segment", {"threshold": 0.5}, [(1, 3, 3)]),
    ("segment", {}, [(3, 4, 4), (5,)]),
    ("heatmaps", {}, [(4, 5, 7)]),
    ("regress", {}, [(1,)]),
    ("regress", {}, [(1, 4, 4)]),
    ("any", {"whole": 2.0}, [(3,), (2, 2)]),
]


def cases() -> list[dict[str, Any]]:
    """Every case, with random values and one tie, which goes to the lower index."""
    random = np.random.default_rng(5)
    return [_case(random, *case) for case in CASES]


def _case(
    random: np.random.Generator, name: str, settings: dict[str, float], shapes: list[tuple[int, ...]]
) -> dict[str, Any]:
    size = sum(int(np.prod(shape)) for shape in shapes)
    values = (random.standard_normal(size) * 2).astype(np.float32)
    top = int(values[: int(np.prod(shapes[0]))].argmax())
    if name == "classify" and top + 1 < shapes[0][0]:
        values[top + 1] = values[top]
    task = task_class(name)(settings, shapes)
    answers = task.answers(torch.from_numpy(values)[None])
    (kept, *_) = task.keep(answers)
    outputs = [{"name": f"output_{place}", "shape": list(shape)} for place, shape in enumerate(shapes)]
    return {
        "task": name, "settings": settings, "labels": LABELS, "outputs": outputs,
        "answer": [float(value) for value in values], "expected": _expected(name, kept[0], answers),
    }  # fmt: skip


def _expected(name: str, kept: torch.Tensor, answers: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    first = answers[0][0]
    if name == "classify":
        probability = first.double().softmax(0)
        order = sorted(range(len(first)), key=lambda index: (-float(first[index]), index))[:5]
        assert order[0] == int(kept)
        return {"top": order, "probabilities": [float(probability[index]) for index in order]}
    if name == "multilabel":
        return {"present": sorted(kept.nonzero().flatten().tolist(), key=lambda index: -float(first[index]))}
    if name == "embed":
        return {"unit": kept.tolist()}
    if name == "segment":
        return {"classes": kept.flatten().tolist(), "size": list(kept.shape)}
    if name == "heatmaps":
        height, width = first.shape[1:]
        places = (kept * (height**2 + width**2) ** 0.5).round().int()
        return {"peaks": places.tolist()}
    return {"numbers": [answer[0].flatten().tolist() for answer in answers]}


if __name__ == "__main__":
    text = json.dumps(cases(), indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit((HERE / "cases.json").read_text(encoding="utf-8") != text)
    (HERE / "cases.json").write_text(text, encoding="utf-8")
