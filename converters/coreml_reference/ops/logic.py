"""Comparisons and choices."""

import torch
from torch import Tensor

from ._arguments import broadcast


def equal(x: Tensor, y: Tensor) -> Tensor:
    """x == y."""
    return torch.eq(*broadcast(x, y))


def not_equal(x: Tensor, y: Tensor) -> Tensor:
    """x != y."""
    return torch.ne(*broadcast(x, y))


def greater(x: Tensor, y: Tensor) -> Tensor:
    """x > y."""
    return torch.gt(*broadcast(x, y))


def greater_equal(x: Tensor, y: Tensor) -> Tensor:
    """x >= y."""
    return torch.ge(*broadcast(x, y))


def less(x: Tensor, y: Tensor) -> Tensor:
    """x < y."""
    return torch.lt(*broadcast(x, y))


def less_equal(x: Tensor, y: Tensor) -> Tensor:
    """x <= y."""
    return torch.le(*broadcast(x, y))


def logical_and(x: Tensor, y: Tensor) -> Tensor:
    """Both."""
    return torch.logical_and(*broadcast(x, y))


def logical_or(x: Tensor, y: Tensor) -> Tensor:
    """At least one."""
    return torch.logical_or(*broadcast(x, y))


def logical_xor(x: Tensor, y: Tensor) -> Tensor:
    """Exactly one."""
    return torch.logical_xor(*broadcast(x, y))


def logical_not(x: Tensor) -> Tensor:
    """The opposite."""
    return torch.logical_not(x)


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Take a where cond holds, b elsewhere."""
    cond, a, b = broadcast(cond, a, b)
    return torch.where(cond.bool(), a, b)
