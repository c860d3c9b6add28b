"""From a photo to the head's input, as the manifest records it, so that phones can do the same.

    the photo (_photo.py) -> channels -> resize, crop or pad in 8 bits -> / 255 * value_range, - mean, / std

Resizing is Pillow's, in 8 bits, which is what torchvision and timm do to a photo before it becomes a tensor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..records.bundle import Preprocess
from ..records.settings import chosen

if TYPE_CHECKING:
    from typing import Any

    from PIL.Image import Image, Resampling

    from .base import Bytes

# what torchvision's classifiers were trained with
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
#: pixels; a square of it is the largest photo that is read
_MOST_SIDE = 10_000
RESIZES = ("stretch", "center-crop", "shorter-side", "pad")
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")


def preprocess_for(
    image: tuple[int, int, int],
    mean: list[float] | None = None,
    std: list[float] | None = None,
    resize: str = "stretch",
    **more: Any,  # noqa: ANN401 (the other fields of Preprocess, which checks them)
) -> Preprocess:
    """Describe the preprocessing for an input of (C, H, W).

    Without `mean` and `std`: ImageNet's for colour, 0.5 and 0.5 for grey. `more` are further fields of Preprocess:
    shorter_side, interpolation, antialias, order, value_range.

    Raises:
        InputError: channels other than 1 or 3, or values that do not fit.
    """
    channels, height, width = image
    if channels not in (1, 3):
        raise InputError(
            f"An input of {channels} channels is not an image; give 1 (grey) or 3 (RGB) channels with --input."
        )
    mean = mean or (_IMAGENET_MEAN if channels == 3 else [0.5])
    std = std or (_IMAGENET_STD if channels == 3 else [0.5])
    if len(mean) != channels or len(std) != channels or min(std) <= 0 or not all(map(math.isfinite, (*mean, *std))):
        raise InputError(f"--mean and --std need {channels} numbers each (std above 0), one per channel.")
    if resize not in RESIZES:
        raise InputError(f"There is no resize {resize!r}; choose one of: {', '.join(RESIZES)}.")
    shorter = more.get("shorter_side")
    if (resize == "shorter-side") != (shorter is not None) or not 1 <= (
        1 if shorter is None else shorter
    ) <= _MOST_SIDE:
        raise InputError(
            f"--shorter-side (pixels, at most {_MOST_SIDE}) and --resize shorter-side belong together; give both, such "
            "as 256, or neither."
        )
    if more.get("interpolation", "bilinear") not in INTERPOLATIONS:
        raise InputError(
            f"There is no interpolation {more['interpolation']!r}; choose one of: {', '.join(INTERPOLATIONS)}."
        )
    fields = {"channels": channels, "height": height, "width": width, "mean": mean, "std": std, "resize": resize}
    return chosen(Preprocess, **fields, **more)


def apply(image: Image, how: Preprocess) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Turn an opened image into the head's input [C,H,W], float32."""
    from ._photo import upright_rgb

    made: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = normalised(pixels(upright_rgb(image), how)[None], how)[0]
    return made


def pixels(photo: Image, how: Preprocess) -> Bytes:
    """The photo (mode RGB, upright) -> 8-bit pixels [H,W,C] of the input's size, red first."""
    made = _RESIZED[how.resize](in_channels(photo, how), how)
    return np.asarray(made, np.uint8).reshape(how.height, how.width, how.channels)


def normalised(made: Bytes, how: Preprocess) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """8-bit pixels [B,H,W,C] -> the head's input [B,C,H,W], in the network's order of channels.

    Each byte's result is computed once, in float32: byte / 255 * value_range, minus mean, divided by std.
    """
    out = np.empty((len(made), how.channels, how.height, how.width), np.float32)
    bytes_in_order = made[..., ::-1] if how.order == "BGR" else made
    levels = np.arange(256, dtype=np.float32) / np.float32(255.0)
    if how.value_range != 1:
        levels = np.arange(256, dtype=np.float32)
    for channel, (mean, std) in enumerate(zip(how.mean, how.std, strict=True)):
        table = (levels - np.float32(mean)) / np.float32(std)
        np.take(table, bytes_in_order[..., channel], out=out[:, channel])
    return out


def in_channels(photo: Image, how: Preprocess) -> Image:
    """The photo in as many channels as the network takes; grey is ITU-R 601's."""
    return photo.convert("L" if how.channels == 1 else "RGB")


def resampling(how: Preprocess) -> Resampling:
    """Pillow's filter."""
    from PIL import Image as images

    kinds = images.Resampling
    return {"bilinear": kinds.BILINEAR, "bicubic": kinds.BICUBIC, "nearest": kinds.NEAREST}[how.interpolation]


def _resize(photo: Image, width: int, height: int, how: Preprocess, box: tuple[float, float, float, float]) -> Image:
    if how.antialias or how.interpolation == "nearest":
        return photo.resize((width, height), resampling(how), box=box)
    # Pillow's transform samples at the point, without averaging over what lies between the samples
    from PIL import Image as images

    left, top, right, bottom = box
    across, down = (right - left) / width, (bottom - top) / height
    return photo.transform(
        (width, height), images.Transform.AFFINE, (across, 0.0, left, 0.0, down, top), resampling(how)
    )


def _stretch(photo: Image, how: Preprocess) -> Image:
    return _resize(photo, how.width, how.height, how, (0.0, 0.0, float(photo.width), float(photo.height)))


def _center_crop(photo: Image, how: Preprocess) -> Image:
    """The largest part of the input's shape, from the middle; the borders may lie between pixels."""
    side = min(photo.width / how.width, photo.height / how.height)
    wide, high = side * how.width, side * how.height
    left, top = (photo.width - wide) / 2, (photo.height - high) / 2
    return _resize(photo, how.width, how.height, how, (left, top, left + wide, top + high))


def _shorter_side(photo: Image, how: Preprocess) -> Image:
    """Resize the shorter side, then cut the middle out; what is missing there is black.

    Source: torchvision.transforms.functional.resize and center_crop, to the pixel, rounding half to even included.
    """
    short = how.shorter_side or min(how.width, how.height)
    least, most = sorted((photo.width, photo.height))
    longer = int(short * most / least)
    wide, high = (short, longer) if photo.width <= photo.height else (longer, short)
    resized = _resize(photo, wide, high, how, (0.0, 0.0, float(photo.width), float(photo.height)))
    return _middle(resized, how, tuple([0] * how.channels))


def _pad(photo: Image, how: Preprocess) -> Image:
    """Fit the whole photo in; beside it lies the mean colour, which is 0 for the network.

    Source: timm.data.transforms.ResizeKeepRatio (longest=1) and CenterCropOrPad.
    """
    ratio = max(photo.height / how.height, photo.width / how.width)
    wide, high = max(round(photo.width / ratio), 1), max(round(photo.height / ratio), 1)
    resized = _resize(photo, wide, high, how, (0.0, 0.0, float(photo.width), float(photo.height)))
    mean = how.mean[::-1] if how.order == "BGR" else how.mean
    return _middle(resized, how, tuple(min(max(round(255 * m / how.value_range), 0), 255) for m in mean))


def _middle(photo: Image, how: Preprocess, fill: tuple[int, ...]) -> Image:
    from PIL import Image as images

    if photo.width < how.width or photo.height < how.height:
        wide, high = max(photo.width, how.width), max(photo.height, how.height)
        board = images.new(photo.mode, (wide, high), fill if how.channels == 3 else fill[0])
        board.paste(photo, ((wide - photo.width) // 2, (high - photo.height) // 2))
        photo = board
    left, top = round((photo.width - how.width) / 2), round((photo.height - how.height) / 2)
    return photo.crop((left, top, left + how.width, top + how.height))


_RESIZED = {"stretch": _stretch, "center-crop": _center_crop, "shorter-side": _shorter_side, "pad": _pad}
