"""Functions of one tensor, element by element."""

import torch
from torch import Tensor


def abs(x: Tensor) -> Tensor:
    """|x|."""
    return torch.abs(x)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Change the type; the program declares the same type for the result, which rounds it there."""
    if dtype == "bool":
        return x != 0
    if dtype.startswith("fp"):
        return x.float()
    return x.trunc().to(torch.int64) if x.is_floating_point() else x


def ceil(x: Tensor) -> Tensor:
    """The next integer above."""
    return torch.ceil(x)


def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """x, but at least alpha and at most beta."""
    return torch.minimum(torch.maximum(x, alpha), beta)


def cos(x: Tensor) -> Tensor:
    """Cosine of an angle in radians."""
    return torch.cos(x)


def erf(x: Tensor) -> Tensor:
    """Gauss's error function."""
    return torch.erf(x)


def exp(x: Tensor) -> Tensor:
    """e to the power of x."""
    return torch.exp(x)


def exp2(x: Tensor) -> Tensor:
    """2 to the power of x."""
    return torch.exp2(x.float())


def floor(x: Tensor) -> Tensor:
    """The next integer below."""
    return torch.floor(x)


def identity(x: Tensor) -> Tensor:
    """X itself."""
    return x


def inverse(x: Tensor, epsilon: Tensor | float = 1e-4) -> Tensor:
    """1 / (x + epsilon)."""
    return 1 / (x + epsilon)


def log(x: Tensor, epsilon: Tensor | float = 1e-45) -> Tensor:
    """Natural logarithm of x + epsilon."""
    return torch.log(x + epsilon)


def round(x: Tensor) -> Tensor:
    """The nearest integer, ties to the even one."""
    return torch.round(x)


def rsqrt(x: Tensor, epsilon: Tensor | float = 1e-12) -> Tensor:
    """1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x + epsilon)


def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return torch.sign(x)


def sin(x: Tensor) -> Tensor:
    """Sine of an angle in radians."""
    return torch.sin(x)


def sqrt(x: Tensor) -> Tensor:
    """Square root."""
    return torch.sqrt(x)


def square(x: Tensor) -> Tensor:
    """x * x."""
    return x * x


def threshold(x: Tensor, alpha: Tensor) -> Tensor:
    """max(x, alpha)."""
    return torch.maximum(x, alpha)


def acos(x: Tensor) -> Tensor:
    """Angle in radians with this cosine."""
    return torch.acos(x)


def asin(x: Tensor) -> Tensor:
    """Angle in radians with this sine."""
    return torch.asin(x)


def atan(x: Tensor) -> Tensor:
    """Angle in radians with this tangent."""
    return torch.atan(x)


def atanh(x: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    return torch.atanh(x)


def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return torch.cosh(x)


def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return torch.sinh(x)


def tan(x: Tensor) -> Tensor:
    """Tangent of an angle in radians."""
    return torch.tan(x)
