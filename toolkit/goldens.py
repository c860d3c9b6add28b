"""Goldens: real images, fixed eps and eager torch's answers, which travel with the bundle to every phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from .data import load_data, load_photos
from .protected import Protected, seeded

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from .bundle import Bundle

#: fp32: largest absolute difference; others: least SQNR in dB
TOLERANCES = {"fp32": 1e-4, "fp16": 50.0, "int8": 20.0, "w8": 25.0, "w6": 15.0, "w4": 8.0}


def golden_images(bundle: Bundle, count: int, photos: Path | None) -> tuple[Tensor, Tensor]:
    """Choose images [n,C,H,W] and labels [n] (-1 where unknown): photos given, test images, or noise without data."""
    manifest = bundle.manifest
    if photos is not None:
        images = load_photos(photos, manifest.preprocess)[:count]
        return images, torch.full((len(images),), -1, dtype=torch.int64)
    record = manifest.protection
    if record is not None and record.data is not None:
        test = load_data(record.data, manifest.preprocess).test
        return test.images[:count], test.labels[:count]
    images = torch.randn(count, *manifest.split.image.shape[1:], generator=seeded(4))
    return images, torch.full((count,), -1, dtype=torch.int64)


@torch.no_grad()
def write_goldens(found: Protected, images: Tensor, labels: Tensor, seed: int, out: Path) -> None:
    """Write inputs.safetensors and expected.safetensors into the folder `out`.

    Args:
        found: the protected head and its tail.
        images: [n,C,H,W].
        labels: [n].
        seed: of eps; each image also gets a second draw, to show that another eps gives another output.
        out: an existing empty folder.
    """
    generator = seeded(seed)
    inputs = {"image": images}
    eps = found.protection.draw_eps(len(images), generator)
    other = found.protection.draw_eps(len(images), generator)
    if eps is not None and other is not None:
        inputs |= {"eps": eps, "eps_other": other}
    # one image at a time: a phone's head has batch 1, and batched kernels may round differently
    smashed = torch.cat(
        [found.smash(images[i : i + 1], None if eps is None else eps[i : i + 1]) for i in range(len(images))]
    )
    logits = torch.cat([found.split.tail(row) for row in smashed.split(1)])
    save_file({name: value.contiguous() for name, value in inputs.items()}, out / "inputs.safetensors")
    save_file({"smashed": smashed, "logits": logits, "label": labels}, out / "expected.safetensors")
