"""From a photo to the head's input, as the manifest records it, so that phones can do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..records.bundle import Preprocess

if TYPE_CHECKING:
    from PIL.Image import Image

# what torchvision's classifiers were trained with
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def preprocess_for(
    image: tuple[int, int, int],
    mean: list[float] | None = None,
    std: list[float] | None = None,
    resize: str = "stretch",
) -> Preprocess:
    """Describe the preprocessing for an input of (C, H, W).

    Without `mean` and `std`: ImageNet's for colour, 0.5 and 0.5 for grey.

    Raises:
        InputError: channels other than 1 or 3, or a mean or std of the wrong length.
    """
    channels, height, width = image
    if channels not in (1, 3):
        raise InputError(
            f"An input of {channels} channels is not an image; give 1 (grey) or 3 (RGB) channels with --input."
        )
    mean = mean or (_IMAGENET_MEAN if channels == 3 else [0.5])
    std = std or (_IMAGENET_STD if channels == 3 else [0.5])
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise InputError(f"--mean and --std need {channels} numbers each (std above 0), one per channel.")
    if resize not in ("stretch", "center-crop"):
        raise InputError(f"There is no resize {resize!r}; choose stretch or center-crop.")
    return Preprocess(
        channels=3 if channels == 3 else 1,
        height=height,
        width=width,
        mean=mean,
        std=std,
        resize="stretch" if resize == "stretch" else "center-crop",
    )


def apply(image: Image, how: Preprocess) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Turn a photo into the head's input [C,H,W], float32."""
    from PIL import Image as images

    image = image.convert("L" if how.channels == 1 else "RGB")
    if how.resize == "center-crop":
        side = min(image.width / how.width, image.height / how.height)
        wide, high = side * how.width, side * how.height
        left, top = (image.width - wide) / 2, (image.height - high) / 2
        box = (left, top, left + wide, top + high)
    else:
        box = (0.0, 0.0, float(image.width), float(image.height))
    small = image.resize((how.width, how.height), images.Resampling.BILINEAR, box=box)
    pixels = np.asarray(small, dtype=np.float32).reshape(how.height, how.width, how.channels) / 255.0
    normal = (pixels - np.asarray(how.mean, np.float32)) / np.asarray(how.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1))
