"""Reading and writing at places that a tensor of indices names."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import whole
from .slicing import slice_by_index

_Combine = Callable[[Tensor, Tensor], Tensor]
_MODES: dict[str, _Combine] = {
    "update": lambda old, new: new,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.true_divide,
    "max": torch.maximum,
    "min": torch.minimum,
}


def gather_along_axis(
    x: Tensor, indices: Tensor, axis: Tensor | int = 0, validate_indices: Tensor | bool = False
) -> Tensor:
    """x at indices of the same rank, along one axis."""
    return torch.gather(x, int(axis), _from_front(indices, x.shape[int(axis)]))


def gather_nd(
    x: Tensor, indices: Tensor, batch_dims: Tensor | int = 0, validate_indices: Tensor | bool = False
) -> Tensor:
    """x[i, j, ...] for each row (i, j, ...) on the last axis of the indices; leading axes may be shared."""
    shared, depth = int(batch_dims), indices.shape[-1]
    if x.shape[:shared] != indices.shape[:shared]:
        raise ValueError(f"{shared} shared axes of {list(x.shape)} and {list(indices.shape)}")
    room_for([*indices.shape[:-1], *x.shape[shared + depth :]], "A gathered tensor")
    leading = [
        torch.arange(size).reshape(-1, *[1] * (indices.dim() - 2 - axis)) for axis, size in enumerate(x.shape[:shared])
    ]
    return x[(*leading, *_columns(indices, x.shape[shared:]))]


def scatter(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: Tensor | int = 0,
    mode: str = "add",
    validate_indices: Tensor | bool = False,
) -> Tensor:
    """`data` with whole slices of an axis changed by `updates`, in the order of a vector of indices."""
    at = int(axis) % data.dim()
    made = data.clone().movedim(at, 0)
    for place, update in zip(whole(_from_front(indices, data.shape[at])), updates.movedim(at, 0), strict=True):
        made[place] = _combine(mode)(made[place], update)
    return made.movedim(0, at).contiguous()


def scatter_along_axis(
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: Tensor | int = 0,
    mode: str = "add",
    validate_indices: Tensor | bool = False,
) -> Tensor:
    """`data` changed by `updates` at indices of the same rank along one axis; the inverse of gather_along_axis."""
    at = int(axis) % data.dim()
    places = _from_front(indices, data.shape[at])
    made = data.clone()
    for row in range(indices.shape[at]):
        where = places.narrow(at, row, 1)
        made.scatter_(at, where, _combine(mode)(made.gather(at, where), updates.narrow(at, row, 1)))
    return made


def scatter_nd(
    data: Tensor, indices: Tensor, updates: Tensor, mode: str = "add", validate_indices: Tensor | bool = False
) -> Tensor:
    """`data` changed by `updates` at the rows of the indices; the inverse of gather_nd."""
    depth = indices.shape[-1]
    made = data.clone()
    rows = indices.reshape(-1, depth)
    for row, update in zip(rows, updates.reshape(len(rows), *data.shape[depth:]), strict=True):
        place = tuple(int(one) for one in row)
        made[place] = _combine(mode)(made[place], update)
    return made


def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """x with the part that slice_by_index takes replaced."""
    numbers = torch.arange(x.numel()).reshape(x.shape)
    places = slice_by_index(numbers, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    if places.shape != update.shape:
        raise ValueError(f"an update {list(update.shape)} for a part {list(places.shape)}")
    return x.reshape(-1).index_put((places.reshape(-1),), update.reshape(-1)).reshape(x.shape)


def _combine(mode: str) -> _Combine:
    if mode not in _MODES:
        raise ValueError(f"mode {mode!r}")
    return _MODES[mode]


def _from_front(indices: Tensor, size: int) -> Tensor:
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


def _columns(indices: Tensor, sizes: torch.Size) -> list[Tensor]:
    return [_from_front(indices[..., column], sizes[column]) for column in range(indices.shape[-1])]
