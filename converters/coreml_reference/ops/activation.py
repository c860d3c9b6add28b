"""Activations."""

import torch
from torch import Tensor
from torch.nn import functional


def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return torch.relu(x)


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return x.clamp(0, 6)


def clamped_relu(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """min(x, beta) where x is positive, min(alpha * x, beta) elsewhere."""
    return torch.minimum(torch.where(x >= 0, x, alpha * x), beta)


def leaky_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """x, times alpha where it is negative."""
    return torch.where(x >= 0, x, alpha * x)


def prelu(x: Tensor, alpha: Tensor) -> Tensor:
    """x [B,C,...], times alpha [C] where it is negative."""
    return torch.where(x >= 0, x, alpha.reshape(-1, *[1] * (x.dim() - 2)) * x)


def elu(x: Tensor, alpha: Tensor) -> Tensor:
    """x, or alpha * (exp(x) - 1) where it is negative."""
    return torch.where(x >= 0, x, alpha * torch.expm1(x.clamp(max=0)))


def thresholded_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """x where it reaches alpha, 0 elsewhere."""
    return torch.where(x >= alpha, x, torch.zeros_like(x))


def linear_activation(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha * x + beta."""
    return alpha * x + beta


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


def sigmoid_hard(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha * x + beta, clipped to [0, 1]."""
    return (alpha * x + beta).clamp(0, 1)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return functional.silu(x)


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(x)


def scaled_tanh(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha * tanh(beta * x)."""
    return alpha * torch.tanh(beta * x)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x))."""
    return torch.logaddexp(x, torch.zeros_like(x))


def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return x / (1 + x.abs())


def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """x times the normal distribution function, or one of its two approximations."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    if mode not in ("EXACT", "TANH_APPROXIMATION"):
        raise ValueError(f"mode {mode!r}")
    return functional.gelu(x, approximate="none" if mode == "EXACT" else "tanh")


def softmax(x: Tensor, axis: Tensor | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along one axis, the last by default."""
    return torch.softmax(x, dim=-1 if axis is None else int(axis))
