"""Sorting, counting along an axis, and tensors made of numbers alone."""

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import axes_of


def topk(
    x: Tensor,
    k: Tensor | int = 1,
    axis: Tensor | int = -1,
    ascending: Tensor | bool = False,
    sort: Tensor | bool = True,
    return_indices: Tensor | bool = True,
    output_indices_dtype: str = "int32",
) -> tuple[Tensor, ...]:
    """The k largest (or smallest) along an axis, and where they were; -1 takes all."""
    count = x.shape[int(axis)] if int(k) == -1 else int(k)
    values, indices = torch.topk(x, count, int(axis), largest=not ascending)
    return (values, indices) if return_indices else (values,)


def argsort(x: Tensor, axis: Tensor | int = -1, ascending: Tensor | bool = False) -> Tensor:
    """Where the sorted values were."""
    return torch.argsort(x, int(axis), descending=not ascending)


def cumsum(
    x: Tensor, axis: Tensor | int = 0, exclusive: Tensor | bool = False, reverse: Tensor | bool = False
) -> Tensor:
    """The sum of everything up to each place, itself included or not, from either end."""
    at = int(axis)
    x = x.flip(at) if reverse else x
    made = torch.cumsum(x, at)
    made = made - x if exclusive else made
    return made.flip(at) if reverse else made


def reverse(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """The same values from the other end."""
    return x.flip(axes_of(axes, x.dim()))


def band_part(x: Tensor, lower: Tensor | int = -1, upper: Tensor | int = -1) -> Tensor:
    """The last two axes' diagonals from `lower` below to `upper` above the main one; negative keeps them all."""
    down = x if int(lower) < 0 else x.triu(-int(lower))
    return down if int(upper) < 0 else down.tril(int(upper))


def one_hot(
    indices: Tensor,
    one_hot_vector_size: Tensor | int,
    axis: Tensor | int = -1,
    on_value: Tensor | float = 1,
    off_value: Tensor | float = 0,
) -> Tensor:
    """A new axis that holds `on_value` at the index, `off_value` elsewhere."""
    size = int(one_hot_vector_size)
    room_for([*indices.shape, size], "A one-hot tensor")
    hit = indices.unsqueeze(-1) == torch.arange(size)
    on, off = (torch.as_tensor(value) for value in (on_value, off_value))
    return torch.where(hit, on, off).movedim(-1, int(axis))


def range_1d(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """start, start + step, ... below end."""
    first, last, by = (one.item() for one in (start, end, step))
    if by == 0 or (last - first) / by < 0:
        raise ValueError(f"a range from {first} to {last} by {by}")
    room_for([int((last - first) / by) + 1], "A range")
    return torch.arange(first, last, by)


def fill_like(ref_tensor: Tensor, value: Tensor | float = 0.0) -> Tensor:
    """One value in a tensor's shape."""
    return torch.full(ref_tensor.shape, value.item() if isinstance(value, Tensor) else value)


def non_zero(x: Tensor) -> Tensor:
    """Where x is not zero: one row of indices for each such element."""
    return torch.nonzero(x)


def sliding_windows(x: Tensor, axis: Tensor, size: Tensor, stride: Tensor | int = 1) -> Tensor:
    """All windows of a size along an axis, as a new axis behind it."""
    at = int(axis) % x.dim()
    windows = (x.shape[at] - int(size)) // max(int(stride), 1) + 1
    room_for([*x.shape[:at], windows, int(size), *x.shape[at + 1 :]], "The windows")
    return x.unfold(at, int(size), int(stride)).movedim(-1, at + 1)
