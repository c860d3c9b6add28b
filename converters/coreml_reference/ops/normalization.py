"""Normalisations."""

import torch
from torch import Tensor

from ._arguments import axes_of


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | float = 1e-5,
) -> Tensor:
    """x [N,C,*] with statistics, gain and offset per channel [C]."""
    return torch.nn.functional.batch_norm(x, mean, variance, gamma, beta, eps=float(epsilon))


def instance_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, epsilon: Tensor | float = 1e-5
) -> Tensor:
    """x [N,C,*], each image's channels to mean 0 and variance 1, then gain and offset [C]."""
    return torch.nn.functional.instance_norm(x, weight=gamma, bias=beta, eps=float(epsilon))


def layer_norm(
    x: Tensor,
    axes: Tensor | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | float = 1e-5,
) -> Tensor:
    """To mean 0 and variance 1 over some axes, then gain and offset of those axes' shape."""
    over = sorted(axes_of(axes, x.dim()))
    variance, mean = torch.var_mean(x, dim=over, correction=0, keepdim=True)
    normal = (x - mean) / torch.sqrt(variance + epsilon)
    shape = [size if axis in over else 1 for axis, size in enumerate(x.shape)]
    scaled = normal if gamma is None else normal * gamma.reshape(shape)
    return scaled if beta is None else scaled + beta.reshape(shape)


def l2_norm(x: Tensor, epsilon: Tensor | float = 1e-6) -> Tensor:
    """Divide by the root of the sum of squares over the last three axes."""
    return x / torch.sqrt((x * x).sum((-3, -2, -1), keepdim=True) + epsilon)


def local_response_norm(
    x: Tensor, size: Tensor, alpha: Tensor | float = 1e-4, beta: Tensor | float = 0.75, k: Tensor | float = 1.0
) -> Tensor:
    """x [N,C,*] over (k + alpha / size * the sum of squares of `size` neighbouring channels) to the power of beta."""
    return torch.nn.functional.local_response_norm(x, int(size), float(alpha), float(beta), float(k))
