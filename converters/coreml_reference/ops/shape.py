"""Operators that only move or repeat values."""

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import axes_of, torch_order, whole


def reshape(x: Tensor, shape: Tensor) -> Tensor:
    """The same values in another shape; -1 is what is left, 0 keeps the axis of that number."""
    wanted = whole(shape)
    keeps = len(wanted) == x.dim()
    return x.reshape([x.shape[axis] if size == 0 and keeps else size for axis, size in enumerate(wanted)])


def transpose(x: Tensor, perm: Tensor) -> Tensor:
    """Reorder the axes."""
    return x.permute(whole(perm))


def expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    """Insert axes of size 1, numbered in the result."""
    for axis in sorted(axes_of(axes, x.dim() + axes.numel())):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Remove axes of size 1, all of them by default."""
    if axes is None:
        return x.squeeze()
    over = axes_of(axes, x.dim())
    if any(x.shape[axis] != 1 for axis in over):
        raise ValueError(f"axes {over} of a tensor of shape {list(x.shape)} are not all of size 1")
    return x.squeeze(over)


def flatten2d(x: Tensor, axis: Tensor | int = 1) -> Tensor:
    """To two axes: everything before `axis`, everything from it on."""
    rows = x.shape[: int(axis)].numel()
    return x.reshape(rows, -1)


def concat(values: list[Tensor], axis: Tensor, interleave: Tensor | bool = False) -> Tensor:
    """Join along an axis, one after the other or taking turns."""
    if interleave:
        at = int(axis) % values[0].dim()
        return torch.stack(values, at + 1).flatten(at, at + 1)
    return torch.cat(values, int(axis))


def stack(values: list[Tensor], axis: Tensor) -> Tensor:
    """Join along a new axis."""
    return torch.stack(values, int(axis))


def tile(x: Tensor, reps: Tensor) -> Tensor:
    """Repeat along each axis."""
    times = whole(reps)
    if len(times) != x.dim():
        raise ValueError(f"reps {times} for a tensor of rank {x.dim()}")
    room_for([size * count for size, count in zip(x.shape, times, strict=True)], "A repeated tensor")
    return x.repeat(times)


def pad(x: Tensor, pad: Tensor, mode: str = "constant", constant_val: Tensor | float = 0.0) -> Tensor:
    """Pad the last axes by [before, after] each: with a constant, by reflection or by the border's value."""
    pads = whole(pad)
    kinds = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}
    if mode not in kinds or len(pads) % 2 or min(pads) < 0 or len(pads) > 2 * x.dim():
        raise ValueError(f"pad {pads} in mode {mode!r}")
    leading = x.dim() - len(pads) // 2
    grown = [size + pads[2 * i] + pads[2 * i + 1] for i, size in enumerate(x.shape[leading:])]
    room_for([*x.shape[:leading], *grown], "A padded tensor")
    if mode == "constant":
        return torch.nn.functional.pad(x, torch_order(pads), value=float(constant_val))
    for axis, size in enumerate(x.shape[leading:]):
        before, after = pads[2 * axis], pads[2 * axis + 1]
        index = torch.arange(-before, size + after)
        if mode == "reflect":
            if max(before, after) >= size:
                raise ValueError(f"pad {pads} reflects more than the tensor has")
            index = (size - 1) - ((size - 1) - index.abs()).abs()
        x = x.index_select(leading + axis, index.clamp(0, size - 1))
    return x


def fill(shape: Tensor, value: Tensor | float = 0.0) -> Tensor:
    """A tensor of one value."""
    room_for(whole(shape), "A filled tensor")
    return torch.full(whole(shape), value.item() if isinstance(value, Tensor) else value)


def shape(x: Tensor) -> Tensor:
    """The sizes of x, as a vector."""
    return torch.tensor(x.shape, dtype=torch.int32)


def pixel_shuffle(x: Tensor, upscale_factor: Tensor) -> Tensor:
    """[n, C f f, H, W] -> [n, C, H f, W f], as torch does it."""
    return torch.nn.functional.pixel_shuffle(x, int(upscale_factor))


def pixel_unshuffle(x: Tensor, downscale_factor: Tensor) -> Tensor:
    """[n, C, H f, W f] -> [n, C f f, H, W]."""
    return torch.nn.functional.pixel_unshuffle(x, int(downscale_factor))


def depth_to_space(x: Tensor, block_size: Tensor) -> Tensor:
    """[n, b b C, H, W] -> [n, C, H b, W b]: unlike pixel_shuffle, the place in the block is the slower index."""
    n, channels, height, width = x.shape
    b = int(block_size)
    parts = x.reshape(n, b, b, channels // (b * b), height, width)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(n, channels // (b * b), height * b, width * b)


def space_to_depth(x: Tensor, block_size: Tensor) -> Tensor:
    """[n, C, H b, W b] -> [n, b b C, H, W], the inverse of depth_to_space."""
    n, channels, height, width = x.shape
    b = int(block_size)
    parts = x.reshape(n, channels, height // b, b, width // b, b)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(n, channels * b * b, height // b, width // b)
