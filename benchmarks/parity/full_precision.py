"""fp32 parity of protected heads at 224 px on real photos: eager torch against three real runtimes, one line a head.

Weights are random (no trained ImageNet weights come with a package); the block starts as before its training.

    python benchmarks/parity/full_precision.py [NETWORK@CUT ...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from converters.base import HeadProgram
from toolkit.convert.heads import converter
from toolkit.datasets._preprocess import apply, preprocess_for
from toolkit.inference import seeded
from toolkit.partition.network import load_network
from toolkit.partition.split import split
from toolkit.protect.protected import features_of
from toolkit.protections._training import reinitialise
from toolkit.protections.pripro import PriPro

IMAGE = (3, 224, 224)
HEADS = (
    "resnet18@layer1",
    "resnet18@layer2",
    "vgg11_bn@features.10",
    "alexnet@features.5",
    "mobilenet_v3_small@features.4",
)


@torch.no_grad()
def protected_head(name: str) -> tuple[HeadProgram, list[torch.Tensor]]:
    """Build one head with a fresh block behind it, and the photos to compare on."""
    source, _, cut = name.partition("@")
    how = preprocess_for(IMAGE)
    photos = [
        torch.from_numpy(apply(Image.fromarray(load_sample_image(photo)), how))[None]
        for photo in ("china.jpg", "flower.jpg")
    ]
    torch.manual_seed(0)
    halves = split(load_network(source, IMAGE), cut)
    block = PriPro.build(features_of(halves.cut.shape))
    reinitialise(block, 0)
    block.start_from(halves.head(torch.cat(photos)), seeded(0))
    block.eval().requires_grad_(False)
    return HeadProgram(halves.head, block, photos[0], block.draw_eps(1, seeded(1)), photos), photos


@torch.no_grad()
def compare(head: HeadProgram, photos: list[torch.Tensor], target: str) -> str:
    """Convert, run on every photo, and say how far from eager torch the worst value is."""
    made_by = converter(target)
    with tempfile.TemporaryDirectory() as folder:
        made = made_by.convert(head, Path(folder), precision="fp32", backend=made_by.backends[0])
        runner = made_by.load(Path(folder) / made.entry)
        worst = 0.0
        for photo in photos:
            got = runner.run({"image": photo.numpy(), "eps": head.eps.numpy()})
            worst = max(worst, float(np.abs(got - head.module()(photo, head.eps).numpy()).max()))
    outside = "" if made.ops_total is None else f", {made.ops_total - made.ops_delegated} operators outside"
    return f"{target} max_abs {worst:.1e}{outside}"


def main() -> None:
    for name in sys.argv[1:] or HEADS:
        head, photos = protected_head(name)
        print(name, "; ".join(compare(head, photos, target) for target in ("executorch", "tflite", "onnx")), flush=True)


if __name__ == "__main__":
    main()
