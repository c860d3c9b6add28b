"""The photos of the experiments: unpacked once, cached as one array, split by the hash of each file.

    python benchmarks/privacy/photos/data.py PHOTOS.tar.xz          # into build/photos/

A file's place depends on its own bytes alone, so the parts stay disjoint whatever the order of the archive.
"""

import argparse
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

#: PHOTOS_ROOT names another folder, for trials
ROOT = Path(os.environ.get("PHOTOS_ROOT", "build/photos"))
#: photos per part, taken in the order of the files' SHA-256
PARTS = {"test": 5000, "val": 2000, "attacker": 15000, "victim": 28000}
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ANIMALS = (2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class Part:
    """Photos [N,3,32,32] as uint8, labels [N]."""

    photos: Tensor
    labels: Tensor


def unpack(archive: Path, root: Path = ROOT) -> None:
    """Read every JPEG of the archive; its folder is its class."""
    rows = []
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".jpg") else None
            if file is not None:
                data = file.read()
                pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
                rows.append((hashlib.sha256(data).digest(), CLASSES.index(Path(member.name).parent.name), pixels))
    rows.sort(key=lambda row: row[0])
    root.mkdir(parents=True, exist_ok=True)
    np.save(root / "photos.npy", np.stack([row[2] for row in rows]).transpose(0, 3, 1, 2).copy())
    np.save(root / "labels.npy", np.array([row[1] for row in rows], dtype=np.int64))


def part(name: str, root: Path = ROOT) -> Part:
    """Load one of PARTS."""
    first = 0
    for other, count in PARTS.items():
        if other == name:
            break
        first += count
    photos = np.load(root / "photos.npy", mmap_mode="r")[first : first + PARTS[name]]
    labels = np.load(root / "labels.npy")[first : first + PARTS[name]]
    return Part(torch.from_numpy(photos.copy()), torch.from_numpy(labels))


def unit(photos: Tensor) -> Tensor:
    """Map uint8 [B,3,H,W] -> [0, 1], channels last."""
    return (photos.float() / 255).contiguous(memory_format=torch.channels_last)


def normalise(unit_photos: Tensor) -> Tensor:
    """Map photos in [0, 1] -> the networks' input."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (unit_photos - mean) / std


def augment(photos: Tensor, generator: torch.Generator, shift: int = 4) -> Tensor:
    """Flip and move each photo [B,3,H,W] on its own, the border mirrored."""
    count, _, height, width = photos.shape
    padded = functional.pad(photos.float(), (shift,) * 4, mode="reflect").to(photos.dtype)
    down, across = (torch.randint(0, 2 * shift + 1, (count,), generator=generator) for _ in range(2))
    rows = down[:, None] + torch.arange(height)
    columns = across[:, None] + torch.arange(width)
    flip = torch.rand(count, generator=generator) < 0.5
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    index = torch.arange(count)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    unpack(parser.parse_args().archive)
