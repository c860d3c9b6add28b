"""Augmentation for training: a random resized crop and a mirror image, drawn from (seed, epoch, photo) alone.

So neither the number of worker processes nor that of training processes changes what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._preprocess import in_channels, resampling

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..records.bundle import Preprocess
    from .base import Bytes

_TRIES = 10


@dataclass(frozen=True)
class Augment:
    """What is drawn.

    Attributes:
        seed: of everything.
        epoch: another one draws anew.
        area: least and greatest share of the photo's area that is cropped.
        ratio: least and greatest width by height of the crop.
        mirror: share of photos that are mirrored; 0 for digits, plates and whatever has a left and a right.

    Source: torchvision.transforms.RandomResizedCrop, whose crops have the same distribution.
    """

    seed: int = 0
    epoch: int = 0
    area: tuple[float, float] = (0.35, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    mirror: float = 0.5

    def apply(self, photo: Image, how: Preprocess, index: int) -> Bytes:
        """Photo -> 8-bit pixels [H,W,C]."""
        from PIL import Image as images

        draw = np.random.default_rng([self.seed, self.epoch, index])
        box = self._box(photo.width, photo.height, draw)
        made = in_channels(photo, how).resize((how.width, how.height), resampling(how), box=box)
        if draw.random() < self.mirror:
            made = made.transpose(images.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(made, np.uint8).reshape(how.height, how.width, how.channels)

    def _box(self, width: int, height: int, draw: np.random.Generator) -> tuple[float, float, float, float]:
        for _ in range(_TRIES):
            area = width * height * draw.uniform(*self.area)
            ratio = np.exp(draw.uniform(*np.log(self.ratio)))
            wide, high = round(float(np.sqrt(area * ratio))), round(float(np.sqrt(area / ratio)))
            if 0 < wide <= width and 0 < high <= height:
                left, top = int(draw.integers(width - wide + 1)), int(draw.integers(height - high + 1))
                return left, top, left + wide, top + high
        return 0.0, 0.0, float(width), float(height)
