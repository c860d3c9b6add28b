"""What in-place writes turn into: parts of tensors put together again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ._table import constants, rewrites


@rewrites("aten.select_scatter.default")
def select_scatter(x: Tensor, part: Tensor, dim: int, index: int) -> Tensor:
    """X with `part` at one place of an axis."""
    at = index % x.shape[dim]
    return _joined(x, part.unsqueeze(dim), dim, at, at + 1)


@rewrites("aten.slice_scatter.default")
def slice_scatter(
    x: Tensor, part: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """X with `part` at a range of an axis."""
    places = range(*slice(start, end, step).indices(x.shape[dim]))
    if step == 1:
        return _joined(x, part, dim, places.start, places.start + len(places))
    with constants():
        order = torch.arange(x.shape[dim])
        order[places.start : places.stop : step] = torch.arange(len(places)) + x.shape[dim]
    return torch.cat([x, part], dim).index_select(dim, order)


@rewrites("aten.copy.default")
def copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor | None:
    """What a part of a tensor is overwritten with; the part's own values do not count."""
    if x.dtype != source.dtype:
        return None
    return source if source.shape == x.shape else source.expand(x.shape)


@rewrites("aten.fill.Tensor")
def fill(x: Tensor, value: Tensor) -> Tensor | None:
    """One number in every place."""
    return value.expand(x.shape) if value.dtype == x.dtype else None


def _joined(x: Tensor, part: Tensor, dim: int, start: int, end: int) -> Tensor:
    before, after = x.narrow(dim, 0, start), x.narrow(dim, end, x.shape[dim] - end)
    parts = [one for one in (before, part, after) if one.shape[dim]]
    return torch.cat(parts, dim) if len(parts) > 1 else part.expand(x.shape)


@rewrites("aten.roll.default")
def roll(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor | None:
    """Move along axes, what falls off at one end entering at the other."""
    if not dims:
        return None
    for shift, dim in zip(shifts, dims, strict=True):
        at = -shift % x.shape[dim]
        if at:
            x = torch.cat([x.narrow(dim, at, x.shape[dim] - at), x.narrow(dim, 0, at)], dim)
    return x


@rewrites("aten.pad.default")
def circular_pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor | None:
    """Along each axis from the last one on, its end in front of it and its beginning behind it."""
    if mode != "circular" or min(pad) < 0:
        return None
    for count in range(len(pad) // 2):
        dim, (before, after) = x.dim() - 1 - count, pad[2 * count : 2 * count + 2]
        size = x.shape[dim]
        parts = [x.narrow(dim, size - before, before), x, x.narrow(dim, 0, after)]
        x = torch.cat([one for one in parts if one.shape[dim]], dim)
    return x


@rewrites("aten.slice.Tensor", targets=["executorch"])
def strided_slice(
    x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor | None:
    """Every step-th place of an axis; in int8, XNNPACK's delegate takes such a slice and forgets the step."""
    if step == 1:
        return None
    places = range(*slice(start, end, step).indices(x.shape[dim]))
    whole = len(places) * step
    if places.start + whole > x.shape[dim]:
        with constants():
            order = torch.arange(places.start, places.stop, step)
        return x.index_select(dim, order)
    at = dim % x.dim()
    before, after = x.shape[:at], x.shape[at + 1 :]
    parts = x.narrow(at, places.start, whole).reshape(*before, len(places), step, *after)
    return parts.narrow(at + 1, 0, 1).reshape(*before, len(places), *after)
