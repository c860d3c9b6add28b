"""Arithmetic of two tensors that broadcast."""

import torch
from torch import Tensor

from ._arguments import broadcast


def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y."""
    return torch.add(*broadcast(x, y))


def sub(x: Tensor, y: Tensor) -> Tensor:
    """x - y."""
    return torch.sub(*broadcast(x, y))


def mul(x: Tensor, y: Tensor) -> Tensor:
    """x * y."""
    return torch.mul(*broadcast(x, y))


def real_div(x: Tensor, y: Tensor) -> Tensor:
    """x / y."""
    return torch.true_divide(*broadcast(x, y))


def floor_div(x: Tensor, y: Tensor) -> Tensor:
    """x / y, rounded down."""
    return torch.floor_divide(*broadcast(x, y))


def mod(x: Tensor, y: Tensor) -> Tensor:
    """What floor_div leaves; it has the sign of y."""
    return torch.remainder(*broadcast(x, y))


def pow(x: Tensor, y: Tensor) -> Tensor:
    """x to the power of y."""
    return torch.pow(*broadcast(x, y))


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """The larger of both."""
    return torch.maximum(*broadcast(x, y))


def minimum(x: Tensor, y: Tensor) -> Tensor:
    """The smaller of both."""
    return torch.minimum(*broadcast(x, y))
