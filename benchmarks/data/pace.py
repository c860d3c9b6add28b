"""Photos per second of `protect`'s way over a folder of JPEG files beside those of the head alone on photos in memory.

    python benchmarks/data/pace.py --out benchmarks/results/pace.json

resnet18@layer2 at 224 px. Both compute the features of the same photos with the same number of threads, in turns: the
head as a user would run it, on float32 batches in memory, and the pass that `protect` makes over its photos,
which are read, decoded in worker processes, resized and normalised on the way. The figure is a ratio; goal: 0.8.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from many_photos import CLASSES, generate

from toolkit.datasets._data import load_data
from toolkit.partition.network import load_network
from toolkit.partition.split import split
from toolkit.protections._features import head_of
from toolkit.protections.base import Training
from toolkit.records.bundle import Preprocess
from toolkit.records.machine import this_host
from toolkit.records.tools import tool_versions

BATCH, SIDE = 64, 224


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    network = load_network("resnet18", (3, SIDE, SIDE), classes=CLASSES)
    halves = split(network, "layer2", check=False)
    how = Preprocess(channels=3, height=SIDE, width=SIDE, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name), 2 * wanted.photos)
        photos = load_data(f"folder:{name}", how).victim_train.photos
        count = min(len(photos), wanted.photos)
        order = torch.arange(count).split(BATCH)
        training = Training(halves.head, halves.tail, photos, torch.zeros(count, dtype=torch.long))
        held = torch.randn(BATCH, 3, SIDE, SIDE)

        def bare() -> None:
            with torch.no_grad():
                for index in order:
                    halves.head(held[: len(index)])

        def streamed() -> None:
            for _ in head_of(training, order):
                pass

        taken: dict[str, list[float]] = {"bare": [], "streamed": []}
        for number in range(wanted.rounds + 1):
            for what, run in (("bare", bare), ("streamed", streamed)):
                began = time.perf_counter()
                run()
                if number:  # the first round fills caches and starts the workers
                    taken[what].append(time.perf_counter() - began)
    ratios = [one / other for one, other in zip(taken["bare"], taken["streamed"], strict=True)]
    result = {
        "photos": count, "rounds": wanted.rounds, "threads": wanted.threads, "ratio": statistics.median(ratios),
        "ratios": ratios, "device": this_host().model_dump(), "tools": tool_versions("torch", "pillow", "loky"),
    }  # fmt: skip
    print(result["ratio"], ratios)
    if wanted.out is not None:
        wanted.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
