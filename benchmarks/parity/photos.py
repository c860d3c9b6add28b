"""Real photos that scikit-learn and scikit-image ship: some to compare with, others to calibrate with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from toolkit.datasets._preprocess import apply
from toolkit.records.bundle import Preprocess

COMPARED = ("astronaut.png", "china.jpg", "coffee.png", "motorcycle_left.png")
CALIBRATING = (
    *("flower.jpg", "chelsea.png", "rocket.jpg", "retina.jpg", "ihc.png", "camera.png", "hubble_deep_field.jpg"),
)
_CROPS = 3


def _open(name: str) -> Image.Image:
    import skimage
    import sklearn.datasets

    folders = (Path(skimage.__file__).parent / "data", Path(sklearn.datasets.__file__).parent / "images")
    return Image.open(next(folder / name for folder in folders if (folder / name).is_file()))


def compared(how: Preprocess) -> torch.Tensor:
    """Photos that every cell is judged on [4,C,H,W]."""
    return torch.from_numpy(np.stack([apply(_open(name), how) for name in COMPARED]))


def calibrating(how: Preprocess, seed: int = 0) -> torch.Tensor:
    """Other photos, whole and three random crops of each [28,C,H,W]."""
    rng = np.random.default_rng(seed)
    made = []
    for name in CALIBRATING:
        photo = _open(name)
        made += [apply(photo, how), *(apply(_crop(photo, rng), how) for _ in range(_CROPS))]
    return torch.from_numpy(np.stack(made))


def crops(how: Preprocess, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Random crops of all of the photos [count,C,H,W]."""
    photos = [_open(name) for name in (*COMPARED, *CALIBRATING)]
    return torch.from_numpy(np.stack([apply(_crop(photos[i % len(photos)], rng), how) for i in range(count)]))


def crops_as_files(folder: Path, per_photo: int) -> int:
    """A folder data set: one class per photo, crops of it as files; returns how many classes."""
    rng = np.random.default_rng(0)
    names = (*COMPARED, *CALIBRATING[:2])
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(per_photo):
            _crop(_open(name).convert("RGB"), rng).save(folder / name / f"{number:03}.png")
    return len(names)


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(min(photo.size) * rng.uniform(0.5, 0.9))
    left, top = (int(rng.integers(0, size - side + 1)) for size in photo.size)
    return photo.crop((left, top, left + side, top + side))
