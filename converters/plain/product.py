"""Products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ._table import rewrites


@rewrites("aten.dot.default", "aten.vdot.default")
def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of products of two real vectors [n] -> []."""
    return (x * y).sum()


@rewrites("aten.baddbmm.default")
def baddbmm(x: Tensor, first: Tensor, second: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Beta * x + alpha * first second."""
    product = torch.bmm(first, second)
    return (x if beta == 1 else x * beta) + (product if alpha == 1 else product * alpha)


@rewrites("aten.bmm.default", "aten.matmul.default", targets=["tflite"])
def batched(x: Tensor, y: Tensor) -> Tensor | None:
    """Batched products at rank 4.

    LiteRT's own converter squeezes them to rank 3, which GPU delegates are reported to get silently wrong
    (LiteRT issue 8619: correlation 0.27 on two Adreno GPUs, rank 4 right).
    """
    if x.dim() < 3 or x.shape[:-2] != y.shape[:-2]:
        return None
    # registers tfl.batch_matmul
    import litert_torch.backend.experimental.torch_tfl  # noqa: F401

    shape = [*x.shape[:-1], y.shape[-1]]
    if x.dim() != 4:
        x, y = (one.reshape(1, -1, *one.shape[-2:]) for one in (x, y))
    product: Tensor = torch.ops.tfl.batch_matmul(x, y)
    return product.reshape(shape)


@rewrites("aten.conv_transpose2d.input", targets=["tflite"])
def transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    output_padding: Sequence[int] = (0, 0),
    groups: int = 1,
    dilation: Sequence[int] = (1, 1),
) -> Tensor | None:
    """A transposed convolution with output padding, cut out of the whole one: LiteRT has no such parameter."""
    if not any(output_padding):
        return None
    whole = functional.conv_transpose2d(x, weight, bias, stride, (0, 0), (0, 0), groups, dilation)
    for axis, (before, more) in enumerate(zip(padding, output_padding, strict=True)):
        size = whole.shape[axis + 2] - 2 * before + more
        if before + size > whole.shape[axis + 2]:
            return None
        whole = whole.narrow(axis + 2, before, size)
    return whole
