"""Resizing of the last two axes, from the sample positions that MIL's documentation defines.

Notation, per axis: n input size, m output size, i output index.
"""

import math

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import whole


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: Tensor | float = 1.0,
    scale_factor_width: Tensor | float = 1.0,
    align_corners: Tensor | bool = True,
) -> Tensor:
    """Grow by factors; without aligned corners, pixel centres are where images have them."""
    size = _scaled(x, scale_factor_height, scale_factor_width)
    return _bilinear(x, size, "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS")


def resize_bilinear(
    x: Tensor,
    target_size_height: Tensor | int = 1,
    target_size_width: Tensor | int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """To a size, with one of five ways to place the samples."""
    return _bilinear(x, [int(target_size_height), int(target_size_width)], sampling_mode)


def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: Tensor | float = 1.0, scale_factor_width: Tensor | float = 1.0
) -> Tensor:
    """Grow by factors, by repeating pixels."""
    return _nearest(x, _scaled(x, scale_factor_height, scale_factor_width))


def resize_nearest_neighbor(x: Tensor, target_size_height: Tensor, target_size_width: Tensor) -> Tensor:
    """To a size, by repeating or leaving out pixels."""
    return _nearest(x, [int(target_size_height), int(target_size_width)])


def resize(
    x: Tensor,
    shape: Tensor,
    resized_dims: Tensor,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """To the last `resized_dims` (here: 1 or 2) sizes of `shape`, where 0 keeps an axis as it is."""
    count = int(resized_dims)
    if count not in (1, 2) or interpolation_mode not in ("LINEAR", "NEAREST_NEIGHBOR"):
        raise ValueError(f"{count} resized axes in mode {interpolation_mode!r}")
    wanted = [new or old for new, old in zip(whole(shape)[-count:], x.shape[-count:], strict=True)]
    size = [*x.shape[-2 : x.dim() - count], *wanted]
    return _bilinear(x, size, sampling_mode) if interpolation_mode == "LINEAR" else _nearest(x, size)


def _scaled(x: Tensor, height: Tensor | float, width: Tensor | float) -> list[int]:
    return [math.floor(float(height) * x.shape[-2]), math.floor(float(width) * x.shape[-1])]


def _positions(n: int, m: int, mode: str) -> Tensor:
    """Where output index i of m lies on the input axis [0, n - 1]; float64 [m]."""
    i = torch.arange(m, dtype=torch.float64)
    if mode == "UNALIGN_CORNERS":
        grid = (i + 0.5) * n / m - 0.5
    elif mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        grid = i * (n - 1) / max(m - 1, 1)
        if m == 1 and mode == "ALIGN_CORNERS":
            grid = grid + (n - 1) / 2
    elif mode == "DEFAULT":
        grid = i * n / m
    elif mode == "OFFSET_CORNERS":
        grid = (i + 0.5) * max(1, n - 1) / m
    else:
        raise ValueError(f"sampling_mode {mode!r}")
    return grid.clamp(0, n - 1)


def _bilinear(x: Tensor, size: list[int], mode: str) -> Tensor:
    _check(x, size)
    for axis, m in zip((-1, -2), reversed(size), strict=True):
        n = x.shape[axis]
        grid = _positions(n, m, mode)
        low = grid.floor().long()
        share = (grid - low).to(x.dtype).reshape(-1, *[1] * (-axis - 1))
        first, second = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=n - 1))
        x = first * (1 - share) + second * share
    return x


def _nearest(x: Tensor, size: list[int]) -> Tensor:
    _check(x, size)
    for axis, m in zip((-1, -2), reversed(size), strict=True):
        x = x.index_select(axis, torch.arange(m) * x.shape[axis] // m)
    return x


def _check(x: Tensor, size: list[int]) -> None:
    if x.dim() < 2 or min(size) < 1:
        raise ValueError(f"x of rank {x.dim()} to the size {size}")
    room_for([*x.shape[:-2], *size], "A resized tensor")
    room_for([*x.shape[:-1], size[1]], "A resized tensor")
