"""Normalisations and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ._table import constants, rewrites


@rewrites("aten.instance_norm.default")
def instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn: bool,
) -> Tensor | None:
    """Tracked statistics are a batch norm's; converters take the image's own instead."""
    if use_input_stats or mean is None or variance is None:
        return None
    return functional.batch_norm(x, mean, variance, weight, bias, eps=eps)


@rewrites("aten.linalg_vector_norm.default")
def vector_norm(
    x: Tensor,
    order: float = 2,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor | None:
    """Roots of sums, spelled out."""
    return _norm(x if dtype is None else x.to(dtype), float(order), dim, keepdim)


@rewrites("aten.norm.ScalarOpt_dim", "aten.norm.Scalar")
def norm(x: Tensor, order: float | None = 2, dim: Sequence[int] | None = None, keepdim: bool = False) -> Tensor | None:
    """The older spelling of the same."""
    return _norm(x, 2.0 if order is None else float(order), dim, keepdim)


def _norm(x: Tensor, order: float, dim: Sequence[int] | None, keepdim: bool) -> Tensor | None:
    axes = list(range(x.dim())) if dim is None or len(dim) == 0 else list(dim)
    if order == 2:
        return torch.sqrt((x * x).sum(axes, keepdim=keepdim))
    if order == 1:
        return x.abs().sum(axes, keepdim=keepdim)
    if order == math.inf:
        return x.abs().amax(axes, keepdim=keepdim)
    if order == -math.inf:
        return x.abs().amin(axes, keepdim=keepdim)
    if order == 0:
        return None
    return x.abs().pow(order).sum(axes, keepdim=keepdim).pow(1 / order)


@rewrites("aten.var.correction")
def variance(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    """The mean of squares about the mean; dividing by n - correction instead of n."""
    axes = list(range(x.dim())) if dim is None or len(dim) == 0 else list(dim)
    count = math.prod(x.shape[axis] for axis in axes)
    less = 1.0 if correction is None else float(correction)
    centred = x - x.mean(axes, keepdim=True)
    squares = (centred * centred).mean(axes, keepdim=keepdim)
    return squares if less == 0 else squares * (count / (count - less))


@rewrites("aten.std.correction")
def deviation(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    """The root of the variance."""
    return torch.sqrt(variance(x, dim, correction=correction, keepdim=keepdim))


@rewrites("aten.avg_pool3d.default")
def mean_over_neighbouring_channels(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor | None:
    """What a local response norm is made of: a mean over s planes [N,1,D,H,W], as a 1x1 convolution.

    Runtimes for phones have no pooling over three axes.
    """
    steps = set(stride or kernel)
    if x.shape[1] != 1 or tuple(kernel[1:]) != (1, 1) or steps != {1} or set(padding) != {0} or divisor_override:
        return None
    planes, wide = x.shape[2], kernel[0]
    made = planes - wide + 1
    with constants():
        distance = torch.arange(planes)[None, :] - torch.arange(made)[:, None]
        band = ((distance >= 0) & (distance < wide)).to(x.dtype)[:, :, None, None] / wide  # [made, planes, 1, 1]
    return functional.conv2d(x.squeeze(1), band).unsqueeze(1)
