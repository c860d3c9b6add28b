"""Does verify ever fail a head that is right? Many clean heads with random seeds, each converted and judged.

    python benchmarks/parity/false_alarms.py --runs 200

A run draws everything anew: a small network's widths, strides and weights, photos, injector, its strength, eps.
Targets take turns. Every row of every run must pass; the result is benchmarks/results/parity_false_alarms.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from stamp import stamp
from torch import nn

from converters.base import HeadProgram
from toolkit.convert.heads import converter
from toolkit.datasets._preprocess import preprocess_for
from toolkit.inference import seeded
from toolkit.package.goldens import write_goldens
from toolkit.package.limits import TOLERANCES
from toolkit.partition.network import Network, export
from toolkit.partition.split import split
from toolkit.protect.protected import Protected, features_of
from toolkit.protections import _training
from toolkit.protections.pripro import PriPro
from toolkit.records.bundle import Preprocess
from toolkit.records.parity import ParityRow
from toolkit.verify.numeric import numeric_rows
from toolkit.verify.privacy import noise_row
from toolkit.verify.replay import read_goldens
from toolkit.verify.rows import EVALUATOR, Subject

OUT = Path(__file__).parents[1] / "results" / "parity_false_alarms.json"
TURNS = (
    *(("onnx", "fp32"), ("coreml", "fp32"), ("tflite", "fp32"), ("executorch", "fp32"), ("coreml", "fp16")),
    *(("onnx", "int8"), ("tflite", "fp16"), ("executorch", "int8"), ("tflite", "int8"), ("coreml", "w8")),
)


def clean_run(seed: int, target: str, precision: str) -> list[ParityRow]:
    """Convert and judge one head of that seed."""
    found, images, others, how = _head(seed)
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        write_goldens(found, images, torch.full((len(images),), -1), how, seed, room)
        goldens = read_goldens(room / "inputs.safetensors", room / "expected.safetensors")
        eps = found.protection.draw_eps(1, seeded(seed + 1))
        program = HeadProgram(found.split.head, found.protection, others[:1], eps, [x[None] for x in others])
        made_by = converter(target)
        out = room / "head"
        out.mkdir()
        made = made_by.convert(program, out, precision=precision, backend=made_by.backends[0])
        runner = made_by.load(out / made.entry)
        got = goldens.replay(runner.run)
    subject = Subject(target, precision, made_by.backends[0], target if runner.is_real_runtime else EVALUATOR)
    return [*numeric_rows(subject, goldens, got, TOLERANCES), noise_row(subject, goldens, got)]


def _head(seed: int) -> tuple[Protected, torch.Tensor, torch.Tensor, Preprocess]:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    side, widths = int(rng.choice([24, 32, 40])), rng.choice([8, 12, 16, 24, 32], 2)
    image = (3, side, side)
    how = preprocess_for(image)
    model = nn.Sequential(
        _block(3, int(widths[0]), int(rng.integers(1, 3))),
        _block(int(widths[0]), int(widths[1]), int(rng.integers(1, 3))),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(int(widths[1]), 10)),
    )
    images = _photos(how, rng)
    model.train()
    with torch.no_grad():
        for _ in range(20):  # batch norm's statistics as training leaves them
            model(images)
    halves = split(Network("random", export(model.eval(), image), image, 10), "1")
    block = PriPro(features_of(halves.cut.shape))
    _training.reinitialise(block, seed)
    with torch.no_grad():
        block.start_from(halves.head(images), seeded(seed))
        size = block.basis.shape[0]
        block.basis.copy_(torch.linalg.qr(torch.randn(size, size, generator=seeded(seed))).Q[:, :, None, None])
    block.transparency.fill_(float(rng.uniform(0.05, 0.9)))
    block.set_strength(float(rng.choice([0.3, 0.7, 1.0, 2.0])))
    return Protected(halves, block.eval().requires_grad_(False)), images[:4], images[4:], how


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, stride=stride, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _photos(how: Preprocess, rng: np.random.Generator) -> torch.Tensor:
    """Random crops of real photos [36,3,side,side]."""
    from photos import crops

    return crops(how, 36, rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    OUT.parent.mkdir(exist_ok=True)
    alarms, counts = [], Counter()
    least: dict[str, float] = {}
    for number in range(chosen.runs):
        seed, (target, precision) = chosen.first_seed + number, TURNS[number % len(TURNS)]
        rows = clean_run(seed, target, precision)
        counts[f"{target} {precision}"] += 1
        if rows[0].sqnr_db is not None:
            name = f"{target} {precision}"
            least[name] = min(least.get(name, np.inf), round(rows[0].sqnr_db, 1))
        failed = [row for row in rows if row.passed is not True]
        alarms += [{"seed": seed, **row.model_dump()} for row in failed]
        sys.stderr.write(f"{number + 1}/{chosen.runs} seed {seed} {target} {precision}: {len(failed)} alarms\n")
        seeds = [chosen.first_seed, seed]
        result = {"runs": number + 1, "seeds": seeds, "heads": dict(counts), "least_sqnr_db": least, "alarms": alarms}
        # after every run: one that is stopped early says what it found until then
        OUT.write_text(json.dumps(stamp() | result, indent=1) + "\n")
    print(f"{len(alarms)} alarms in {chosen.runs} clean runs; {OUT}")


if __name__ == "__main__":
    main()
