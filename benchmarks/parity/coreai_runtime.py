"""Heads in Apple's Core AI runtime on Linux beside eager torch, on photos: SQNR, and whether planted faults are found.

    python benchmarks/parity/coreai_runtime.py --out benchmarks/results/parity_coreai.json

Families, cuts, weights and photos are those of heads.py. Faults are planted in the network that is converted, not in
the one that is compared with: a weight of the first layer, a scaled and a permuted channel.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "parity")]

import torch  # noqa: E402
from heads import Case, make  # noqa: E402
from stamp import stamp  # noqa: E402
from torch import Tensor  # noqa: E402

from converters.base import ConverterError, HeadProgram  # noqa: E402
from converters.to_coreai import CoreaiRunner, ToCoreai  # noqa: E402
from toolkit.package.limits import TOLERANCES  # noqa: E402
from toolkit.verify.compare import max_abs, sqnr_db  # noqa: E402
from toolkit.verify.explain import explain_head  # noqa: E402
from toolkit.verify.numeric import numeric_rows  # noqa: E402
from toolkit.verify.rows import Subject  # noqa: E402

HEADS = (
    ("resnet18", "layer2"),
    ("mobilenet_v3_small", "features.4"),
    ("vit_b_16", "encoder.layers.encoder_layer_0"),
)
LEAST = 80.0


def _other_first_weight(weight: Tensor) -> None:
    weight[0] *= 1.5


def _scaled_channel(weight: Tensor) -> None:
    weight[-1] *= 0.5


def _permuted_channels(weight: Tensor) -> None:
    weight[[0, 1]] = weight[[1, 0]]


FAULTS: dict[str, Callable[[Tensor], None]] = {
    "a filter times 1.5": _other_first_weight,
    "a filter times 0.5": _scaled_channel,
    "two filters in the wrong order": _permuted_channels,
}


def with_fault(program: HeadProgram, plant: Callable[[Tensor], None]) -> HeadProgram:
    """The head with one convolution of its backbone changed."""
    backbone = copy.deepcopy(program.backbone)
    weights = [each for each in backbone.parameters() if each.dim() == 4]
    with torch.no_grad():
        plant(weights[len(weights) // 2])
    return replace(program, backbone=backbone)


def answers(case: Case, program: HeadProgram, folder: Path) -> tuple[Path, Any]:
    """Convert and replay the goldens."""
    made = ToCoreai().convert(program, folder, precision="fp32", backend="aimodel")
    runner = ToCoreai().load(folder / made.entry)
    return folder / made.entry, case.goldens.replay(runner.run)


def measure(family: str, cut: str, work: Path) -> dict[str, Any]:
    """One head: accuracy on photos, and the faults."""
    case = make(family, cut, work)
    subject = Subject("coreai", "fp32", "aimodel", CoreaiRunner.title)
    row: dict[str, Any] = {"family": family, "cut": cut, "weights": case.weights}
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        try:
            entry, got = answers(case, case.program, Path(folder))
        except ConverterError as error:
            return row | {"error": str(error)}
        right = case.goldens.smashed
        photos = case.goldens.real()
        row |= {
            "seconds": round(time.monotonic() - start, 1),
            "rows": len(right),
            "photos": len(photos),
            "least_sqnr_db": round(min(sqnr_db(right[i], got[i]) for i in photos), 1),
            "least_sqnr_db_all": round(min(sqnr_db(right[i], got[i]) for i in range(len(right))), 1),
            "max_abs": max_abs(right, got),
            "verify": all(each.passed for each in numeric_rows(subject, case.goldens, got, TOLERANCES, lambda: "")),
            "explain": explain_head(case.program, "coreai", "fp32", "aimodel", entry, case.goldens).first,
        }
    row["faults"] = {}
    for name, plant in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            _, got = answers(case, with_fault(case.program, plant), Path(folder))
            found = [each.passed for each in numeric_rows(subject, case.goldens, got, TOLERANCES, lambda: "")]
            row["faults"][name] = "found" if not all(found) else "not found"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--head", action="append", help="family@cut; several times")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for family, cut in [each.split("@") for each in arguments.head or ()] or HEADS:
        rows.append(measure(family, cut, ROOT / "build" / "parity"))
        sys.stderr.write(json.dumps(rows[-1]) + "\n")
    if arguments.out:
        arguments.out.write_text(json.dumps({**stamp(), "least_sqnr_db": LEAST, "rows": rows}, indent=1) + "\n")
    if any("error" in row or row["least_sqnr_db"] < LEAST or "not found" in row["faults"].values() for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
