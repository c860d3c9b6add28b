"""Resizing by constant matrices where converters' own sample positions differ from torch's.

Resizing is linear and separable: torch itself resizes the unit matrix of each axis, and the result is the matrix
that resizes anything. Notation: n input size, m output size of an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ._table import constants, rewrites

_Sizes = Sequence[int] | None
_Scales = Sequence[float] | None


def along_both(x: Tensor, rows: Tensor | None, columns: Tensor | None) -> Tensor:
    """Apply matrices [m,n] to the axes h and w of x [B,C,h,w]; None leaves an axis as it is."""
    if columns is not None:
        x = functional.linear(x, columns)
    if rows is not None:
        x = functional.linear(x.transpose(2, 3), rows).transpose(2, 3)
    return x


def _by_matrices(x: Tensor, resize: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Resize with a function (x, axis) -> x resized along one axis, used on unit matrices."""
    with constants():
        rows, columns = (_matrix(resize, x.shape[axis], axis) for axis in (2, 3))
    return along_both(x, rows, columns)


def _matrix(resize: Callable[[Tensor, int], Tensor], n: int, axis: int) -> Tensor | None:
    unit = torch.eye(n)
    # square, although one column would do: torch's antialiased resizing of a single column is not that of a wide image
    made = resize(unit[None, None], axis)[0, 0]
    made = (made if axis == 2 else made.T).contiguous()  # [m,n]
    return None if made.shape == unit.shape and torch.equal(made, unit) else made


def _one_axis(n: int, size: _Sizes, scales: _Scales, axis: int) -> tuple[list[int] | None, list[float] | None]:
    """Sizes or factors that change one axis of a unit matrix [1,1,n,n] and leave the other."""
    only: list[int] | None = None
    factors: list[float] | None = None
    if size is not None:
        only = [n, n]
        only[axis - 2] = int(size[axis - 2])
    if scales is not None:
        factors = [1.0, 1.0]
        factors[axis - 2] = float(scales[axis - 2])
    return only, factors


@rewrites("aten.upsample_bicubic2d.vec")
def bicubic(x: Tensor, size: _Sizes, align_corners: bool, scales: _Scales) -> Tensor:
    """Bicubic interpolation."""
    original = torch.ops.aten.upsample_bicubic2d.vec
    return _by_matrices(
        x, lambda unit, axis: original(unit, *_swap(_one_axis(unit.shape[2], size, scales, axis), align_corners))
    )


@rewrites("aten._upsample_bicubic2d_aa.vec")
def bicubic_antialiased(x: Tensor, size: _Sizes, align_corners: bool, scales: _Scales) -> Tensor:
    """Bicubic interpolation of what is smoothed first."""
    original = torch.ops.aten._upsample_bicubic2d_aa.vec
    return _by_matrices(
        x, lambda unit, axis: original(unit, *_swap(_one_axis(unit.shape[2], size, scales, axis), align_corners))
    )


@rewrites("aten._upsample_bilinear2d_aa.vec")
def bilinear_antialiased(x: Tensor, size: _Sizes, align_corners: bool, scales: _Scales) -> Tensor:
    """Bilinear interpolation of what is smoothed first."""
    original = torch.ops.aten._upsample_bilinear2d_aa.vec
    return _by_matrices(
        x, lambda unit, axis: original(unit, *_swap(_one_axis(unit.shape[2], size, scales, axis), align_corners))
    )


def _swap(
    where: tuple[list[int] | None, list[float] | None], align_corners: bool
) -> tuple[list[int] | None, bool, list[float] | None]:
    return where[0], align_corners, where[1]


@rewrites("aten.upsample_bilinear2d.vec")
def bilinear(x: Tensor, size: _Sizes, align_corners: bool, scales: _Scales) -> Tensor | None:
    """Bilinear interpolation by a factor that gives no whole size.

    Torch samples by the factor, ExecuTorch and LiteRT by the quotient of the sizes, Core ML refuses.
    """
    if scales is None or all((n * scale).is_integer() for n, scale in zip(x.shape[2:], scales, strict=True)):
        return None
    original = torch.ops.aten.upsample_bilinear2d.vec
    return _by_matrices(
        x, lambda unit, axis: original(unit, *_swap(_one_axis(unit.shape[2], size, scales, axis), align_corners))
    )


@rewrites("aten.upsample_nearest2d.vec", "aten._upsample_nearest_exact2d.vec", targets=["executorch"])
def nearest_by_whole_factors(x: Tensor, size: _Sizes, scales: _Scales) -> Tensor | None:
    """Repeat pixels a whole number of times by joining, which XNNPACK has, where it has no nearest neighbours."""
    height, width = _target(x, size, scales)
    down, across = height // x.shape[2], width // x.shape[3]
    if (height, width) != (x.shape[2] * down, x.shape[3] * across):
        return None
    if across > 1:
        x = torch.cat([x[..., None]] * across, 4).reshape(*x.shape[:3], width)
    if down > 1:
        x = torch.cat([x[:, :, :, None]] * down, 3).reshape(*x.shape[:2], height, width)
    return x


@rewrites("aten.upsample_nearest2d.vec", targets=["tflite", "executorch"])
def nearest(x: Tensor, size: _Sizes, scales: _Scales) -> Tensor | None:
    """Nearest neighbours by factors that are not whole: LiteRT takes other ones than torch does."""
    height, width = _target(x, size, scales)
    if height % x.shape[2] == 0 and width % x.shape[3] == 0:
        return None
    original = torch.ops.aten.upsample_nearest2d.vec
    return _by_matrices(x, lambda unit, axis: original(unit, *_one_axis(unit.shape[2], size, scales, axis)))


@rewrites("aten._upsample_nearest_exact2d.vec")
def nearest_exact(x: Tensor, size: _Sizes, scales: _Scales) -> Tensor:
    """Nearest neighbours of pixel centres."""
    original = torch.ops.aten._upsample_nearest_exact2d.vec
    return _by_matrices(x, lambda unit, axis: original(unit, *_one_axis(unit.shape[2], size, scales, axis)))


def _target(x: Tensor, size: _Sizes, scales: _Scales) -> tuple[int, int]:
    if size is not None:
        return int(size[0]), int(size[1])
    assert scales is not None  # noqa: S101 - torch's own operator takes one or the other
    return int(x.shape[2] * scales[0]), int(x.shape[3] * scales[1])
