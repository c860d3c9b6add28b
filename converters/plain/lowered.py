"""Operators that coreai-torch has no lowering for, in others that it has.

Source: its page of supported ATen operators, https://apple.github.io/coreai-torch/main/api/supported-aten-ops.html
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._table import rewrites

#: the self-normalising ELU's two constants
_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772


@rewrites("aten.var.correction", targets=("coreai",))
def var(x: Tensor, dim: list[int] | None = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    """Mean of squares about the mean, over one less than there are values unless said otherwise."""
    return _variance(x, dim, 1 if correction is None else correction, keepdim)


@rewrites("aten.var.dim", targets=("coreai",))
def var_dim(x: Tensor, dim: list[int] | None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    """The older form, which says whether one is left out of the count."""
    return _variance(x, dim, int(unbiased), keepdim)


@rewrites("aten.std.correction", targets=("coreai",))
def std(x: Tensor, dim: list[int] | None = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    """The variance's root."""
    return _variance(x, dim, 1 if correction is None else correction, keepdim).sqrt()


@rewrites("aten.std.dim", targets=("coreai",))
def std_dim(x: Tensor, dim: list[int] | None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    """The older form of it."""
    return _variance(x, dim, int(unbiased), keepdim).sqrt()


def _variance(x: Tensor, dim: list[int] | None, correction: float, keepdim: bool) -> Tensor:
    axes = dim or list(range(x.dim()))
    squares = (x - x.mean(axes, keepdim=True)).pow(2).sum(axes, keepdim=keepdim)
    count = x.numel() // max(1, squares.numel())
    return squares / max(0.0, count - correction)


@rewrites("aten.elu.default", targets=("coreai",))
def elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """Exponential below zero."""
    return _exponential(x, alpha, scale, input_scale)


@rewrites("aten.selu.default", targets=("coreai",))
def selu(x: Tensor) -> Tensor:
    """ELU with fixed constants."""
    return _exponential(x, _ALPHA, _SCALE, 1)


def _exponential(x: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    # clamped first: large values would overflow in the branch that is not taken
    below = torch.expm1(x.clamp(max=0) * input_scale) * (alpha * scale)
    return torch.where(x > 0, x * scale, below)


@rewrites("aten.argmin.default", targets=("coreai",))
def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the negative is largest."""
    return torch.argmax(-x, dim, keepdim)


@rewrites("aten.isnan.default", targets=("coreai",))
def isnan(x: Tensor) -> Tensor:
    """Not a number is the one value that differs from itself."""
    return x != x
