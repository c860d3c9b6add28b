"""Sums with factors, which Core ML's converters drop and LiteRT's refuse; functions of one number."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ._table import rewrites


@rewrites("aten.add.Tensor", "aten.add.Scalar")
def add(x: Tensor, y: Tensor | float, alpha: float = 1) -> Tensor | None:
    """X + alpha * y, with the factor in a product of its own."""
    return None if alpha == 1 else x + y * alpha


@rewrites("aten.sub.Tensor", "aten.sub.Scalar")
def sub(x: Tensor, y: Tensor | float, alpha: float = 1) -> Tensor | None:
    """X - alpha * y, with the factor in a product of its own."""
    return None if alpha == 1 else x - y * alpha


@rewrites("aten.rsub.Tensor")
def rsub(x: Tensor, y: Tensor, alpha: float = 1) -> Tensor:
    """Y - alpha * x."""
    return torch.sub(y, x if alpha == 1 else x * alpha)


@rewrites("aten.rsub.Scalar")
def rsub_scalar(x: Tensor, y: float, alpha: float = 1) -> Tensor:
    """Y - alpha * x, as a sum that XNNPACK has too."""
    return x * -alpha + y


@rewrites("aten.addcmul.default")
def addcmul(x: Tensor, first: Tensor, second: Tensor, *, value: float = 1) -> Tensor:
    """X + value * first * second."""
    made = first * second
    return x + (made if value == 1 else made * value)


@rewrites("aten.addcdiv.default")
def addcdiv(x: Tensor, first: Tensor, second: Tensor, *, value: float = 1) -> Tensor:
    """X + value * first / second."""
    made = first / second
    return x + (made if value == 1 else made * value)


@rewrites("aten.celu.default")
def celu(x: Tensor, alpha: float = 1) -> Tensor:
    """ELU of another width; Core ML's converter knows the one of width 1."""
    return functional.elu(x) if alpha == 1 else functional.elu(x / alpha) * alpha
