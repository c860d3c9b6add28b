"""Convolution and the products of matrices."""

import torch
from torch import Tensor
from torch.nn import functional

from ..values import room_for
from ._arguments import broadcast, padded, padding, symmetric, whole

_CONV = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Tensor | None = None,
    pad_type: str = "valid",
    pad: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | int = 1,
) -> Tensor:
    """x [N,C,*size], weight [C_out,C/groups,*kernel], bias [C_out] -> [N,C_out,*]."""
    if x.dim() not in _CONV or weight.dim() != x.dim():
        raise ValueError(f"x of rank {x.dim()} with a weight of rank {weight.dim()}")
    axes = x.dim() - 2
    steps = [1] * axes if strides is None else whole(strides)
    gaps = [1] * axes if dilations is None else whole(dilations)
    window = [(size - 1) * gap + 1 for size, gap in zip(weight.shape[2:], gaps, strict=True)]
    pads = padding(pad_type, pad, x.shape[2:], window, steps)
    grown = [size + pads[2 * i] + pads[2 * i + 1] for i, size in enumerate(x.shape[2:])]
    made = [(size - width) // max(step, 1) + 1 for size, width, step in zip(grown, window, steps, strict=True)]
    room_for([x.shape[0], weight.shape[0], *made], "The result")
    both = symmetric(pads)
    if both is None:
        x, both = padded(x, pads), [0] * axes
    return _CONV[x.dim()](x, weight, bias, steps, both, gaps, int(groups))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x [...,in], weight [out,in], bias [out] -> [...,out]."""
    room_for([*x.shape[:-1], weight.shape[0]], "The result")
    return functional.linear(x, weight, bias)


def matmul(x: Tensor, y: Tensor, transpose_x: Tensor | bool = False, transpose_y: Tensor | bool = False) -> Tensor:
    """x [...,n,k], y [...,k,m] -> [...,n,m], each transposed first where asked for."""
    x = x.mT if transpose_x else x
    y = y.mT if transpose_y else y
    leading = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    room_for([*leading, *x.shape[-2:-1], *(y.shape[-1:] if y.dim() > 1 else ())], "The result")
    return torch.matmul(x, y)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """softmax(query key^T / sqrt(E) + mask) value: query [...,L,E], key [...,S,E], value [...,S,V] -> [...,L,V]."""
    broadcast(query[..., :1, :1], key[..., :1, :1], value[..., :1, :1])
    room_for([*query.shape[:-1], key.shape[-2]], "The attention")
    return functional.scaled_dot_product_attention(query, key, value, attn_mask)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Tensor | None = None,
    output_shape: Tensor | None = None,
    pad_type: str = "valid",
    strides: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | int = 1,
) -> Tensor:
    """x [N,C,*size], weight [C,C_out/groups,*kernel] -> [N,C_out,*]: the gradient of conv.

    Everything is computed first, then `pad` is cut off; what `output_shape` has beyond that lies at the end.
    """
    if x.dim() not in _TRANSPOSED or weight.dim() != x.dim():
        raise ValueError(f"x of rank {x.dim()} with a weight of rank {weight.dim()}")
    axes = x.dim() - 2
    steps = [1] * axes if strides is None else whole(strides)
    gaps = [1] * axes if dilations is None else whole(dilations)
    window = [(size - 1) * gap + 1 for size, gap in zip(weight.shape[2:], gaps, strict=True)]
    full = [(size - 1) * step + width for size, step, width in zip(x.shape[2:], steps, window, strict=True)]
    if pad_type == "same":
        lost = [max(width - step, 0) for width, step in zip(window, steps, strict=True)]
        pads = [part for total in lost for part in (total // 2, total - total // 2)]
    else:
        pads = padding(pad_type, pad, x.shape[2:], window, steps)
    wanted = [size - pads[2 * i] - pads[2 * i + 1] for i, size in enumerate(full)]
    if output_shape is not None:
        wanted = whole(output_shape)[2:]
    room_for([x.shape[0], weight.shape[1] * int(groups), *full], "The result")
    whole_result = _TRANSPOSED[x.dim()](x, weight, bias, steps, 0, 0, int(groups), gaps)
    for axis, size in enumerate(wanted):
        begin, have = pads[2 * axis], full[axis]
        if begin + size > have:  # nothing was written there but the bias
            beyond = [0, 0] * (axes - 1 - axis) + [0, begin + size - have]
            blank = torch.zeros(1) if bias is None else bias.reshape(-1, *[1] * axes)
            whole_result = functional.pad(whole_result - blank, beyond) + blank
        whole_result = whole_result.narrow(axis + 2, begin, size)
    return whole_result


_TRANSPOSED = {3: functional.conv_transpose1d, 4: functional.conv_transpose2d, 5: functional.conv_transpose3d}


def einsum(values: list[Tensor], equation: str) -> Tensor:
    """The one kind of product that MIL knows by this name: axes -1 and -3 are the matrices', others broadcast."""
    left, right = values
    room_for([*left.shape[:-1], right.shape[-1]], "The result")
    return torch.einsum(equation, left, right)
