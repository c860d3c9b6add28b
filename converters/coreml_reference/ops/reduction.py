"""Reductions over some axes, or all."""

import torch
from torch import Tensor

from ._arguments import axes_of

_Flag = Tensor | bool


def reduce_mean(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Mean."""
    return x.float().mean(axes_of(axes, x.dim()), keepdim=bool(keep_dims))


def reduce_sum(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Sum."""
    return x.sum(axes_of(axes, x.dim()), keepdim=bool(keep_dims))


def reduce_max(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Maximum."""
    return x.amax(axes_of(axes, x.dim()), keepdim=bool(keep_dims))


def reduce_min(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Minimum."""
    return x.amin(axes_of(axes, x.dim()), keepdim=bool(keep_dims))


def reduce_prod(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Product."""
    for axis in axes_of(axes, x.dim()):
        x = x.prod(axis, keepdim=True)
    return x if keep_dims else x.squeeze(axes_of(axes, x.dim()))


def reduce_sum_square(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Sum of squares."""
    return reduce_sum(x * x, axes, keep_dims)


def reduce_l1_norm(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Sum of absolute values."""
    return reduce_sum(x.abs(), axes, keep_dims)


def reduce_l2_norm(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Square root of the sum of squares."""
    return torch.sqrt(reduce_sum_square(x, axes, keep_dims))


def reduce_log_sum(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Logarithm of the sum."""
    return torch.log(reduce_sum(x, axes, keep_dims))


def reduce_log_sum_exp(x: Tensor, axes: Tensor | None = None, keep_dims: _Flag = False) -> Tensor:
    """Logarithm of the sum of exponentials."""
    return torch.logsumexp(x, axes_of(axes, x.dim()), keepdim=bool(keep_dims))


def reduce_argmax(x: Tensor, axis: Tensor | int = -1, keep_dims: _Flag = False, output_dtype: str = "int32") -> Tensor:
    """Index of the maximum along one axis; the declared type tells the integer's width."""
    return x.argmax(int(axis), keepdim=bool(keep_dims))


def reduce_argmin(x: Tensor, axis: Tensor | int = -1, keep_dims: _Flag = False, output_dtype: str = "int32") -> Tensor:
    """Index of the minimum along one axis."""
    return x.argmin(int(axis), keepdim=bool(keep_dims))
