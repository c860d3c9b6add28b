"""What several operators share in reading their arguments."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..values import room_for


def whole(values: Tensor) -> list[int]:
    """Read a vector of integers, such as strides."""
    return [int(value) for value in values.reshape(-1).tolist()]


def axes_of(values: Tensor | None, rank: int) -> list[int]:
    """Read axes, counted from the front; None stands for all of them."""
    axes = list(range(rank)) if values is None else [axis % rank for axis in whole(values)]
    if values is not None and any(not -rank <= axis < rank for axis in whole(values)):
        raise ValueError(f"axes {whole(values)} of a tensor of rank {rank}")
    return axes


def broadcast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Check that the tensors broadcast to something that fits the memory."""
    room_for(torch.broadcast_shapes(*(tensor.shape for tensor in tensors)), "A result")
    return tensors


def padding(
    pad_type: str, pad: Tensor | None, size: Sequence[int], kernel: Sequence[int], strides: list[int]
) -> list[int]:
    """Turn MIL's four ways to say it into [before, after] per spatial axis.

    Args:
        pad_type: ``valid``, ``custom``, ``same`` or ``same_lower``.
        pad: [2 * axes], used by ``custom``.
        size: the input's spatial sizes.
        kernel: the window's sizes, dilation included.
        strides: one per axis.
    """
    if pad_type == "valid":
        return [0] * (2 * len(kernel))
    if pad_type == "custom":
        pads = [0] * (2 * len(kernel)) if pad is None else whole(pad)
        if len(pads) != 2 * len(kernel) or min(pads) < 0:
            raise ValueError(f"pad {pads} for {len(kernel)} spatial axes")
        return pads
    if pad_type not in ("same", "same_lower"):
        raise ValueError(f"pad_type {pad_type!r}")
    pads = []
    for have, window, step in zip(size, kernel, strides, strict=True):
        total = max(0, step * (-(-have // step)) - have + window - step)
        less, more = total // 2, total - total // 2
        pads += [less, more] if pad_type == "same" else [more, less]
    return pads


def torch_order(pads: list[int]) -> list[int]:
    """Reorder [before, after] per axis the way torch's pad wants it: last axis first."""
    return [pads[i + side] for i in range(len(pads) - 2, -1, -2) for side in (0, 1)]


def padded(x: Tensor, pads: list[int], fill: float = 0.0) -> Tensor:
    """Pad the last axes by [before, after] per axis with a constant."""
    if not any(pads):
        return x
    leading = x.dim() - len(pads) // 2
    grown = [size + pads[2 * i] + pads[2 * i + 1] for i, size in enumerate(x.shape[leading:])]
    room_for([*x.shape[:leading], *grown], "A padded tensor")
    return torch.nn.functional.pad(x, torch_order(pads), value=fill)


def symmetric(pads: list[int]) -> list[int] | None:
    """Return one padding per axis where both sides agree, else None."""
    return pads[::2] if pads[::2] == pads[1::2] else None
