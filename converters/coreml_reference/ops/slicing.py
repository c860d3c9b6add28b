"""Operators that take parts of a tensor."""

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import whole


def slice_by_index(
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """x[begin:end:stride] per axis; a mask frees that bound; a squeezed axis takes `begin` alone and vanishes."""
    rank = x.dim()
    starts, stops = whole(begin), whole(end)
    steps = [1] * rank if stride is None else whole(stride)
    free_start, free_stop, squeezed = (
        [False] * rank if mask is None else [bool(flag) for flag in whole(mask)]
        for mask in (begin_mask, end_mask, squeeze_mask)
    )
    if {len(starts), len(stops), len(steps), len(free_start), len(free_stop), len(squeezed)} != {rank}:
        raise ValueError(f"a tensor of rank {rank} needs as many bounds, steps and masks")
    for axis in range(rank):
        if squeezed[axis]:
            x = x.narrow(axis, starts[axis] % x.shape[axis], 1)
            continue
        wanted = slice(
            None if free_start[axis] else starts[axis], None if free_stop[axis] else stops[axis], steps[axis]
        )
        taken = range(*wanted.indices(x.shape[axis]))
        if taken.step == 1:
            x = x.narrow(axis, taken.start, len(taken))
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
    return x.squeeze([axis for axis in range(rank) if squeezed[axis]])


def slice_by_size(x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
    """The part from `begin` on of that size per axis; -1 is all that is left."""
    for axis, (start, length) in enumerate(zip(whole(begin), whole(size), strict=True)):
        at = start % x.shape[axis] if start < 0 else start
        x = x.narrow(axis, at, x.shape[axis] - at if length == -1 else length)
    return x


def split(
    x: Tensor, axis: Tensor, num_splits: Tensor | None = None, split_sizes: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Cut along an axis into parts of equal or of given sizes."""
    if split_sizes is not None:
        return torch.split(x, whole(split_sizes), int(axis))
    if num_splits is None or int(num_splits) < 1 or x.shape[int(axis)] % int(num_splits):
        raise ValueError(f"{list(x.shape)} cannot be cut into {num_splits} equal parts along axis {int(axis)}")
    return torch.split(x, x.shape[int(axis)] // int(num_splits), int(axis))


def gather(
    x: Tensor,
    indices: Tensor,
    axis: Tensor | int = 0,
    batch_dims: Tensor | int = 0,
    validate_indices: Tensor | bool = False,
) -> Tensor:
    """Take the given indices along an axis; negative ones count from its end. The first axes may be shared."""
    at = int(axis) % x.dim()
    shared = int(batch_dims)
    if shared:
        if x.shape[:shared] != indices.shape[:shared] or at < shared:
            raise ValueError(f"{shared} shared axes of {list(x.shape)} and {list(indices.shape)}, axis {at}")
        pairs = zip(x, indices, strict=True)
        return torch.stack([gather(one, index, at - 1, shared - 1) for one, index in pairs])
    room_for([*x.shape[:at], *indices.shape, *x.shape[at + 1 :]], "A gathered tensor")
    flat = indices.reshape(-1).long()
    flat = torch.where(flat < 0, flat + x.shape[at], flat)
    return x.index_select(at, flat).reshape([*x.shape[:at], *indices.shape, *x.shape[at + 1 :]])
