"""Pooling over spatial axes."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ._arguments import padded, padding, symmetric, whole

_MAX = {3: functional.max_pool1d, 4: functional.max_pool2d, 5: functional.max_pool3d}
_AVERAGE = {3: torch.nn.functional.avg_pool1d, 4: functional.avg_pool2d, 5: functional.avg_pool3d}


def max_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    ceil_mode: Tensor | bool = False,
) -> Tensor:
    """x [N,C,*size] -> the maximum of each window; padding never wins."""
    kernel, steps, pads = _window(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    both = symmetric(pads)
    if both is None:
        x, both = padded(x, pads, -math.inf), [0] * len(kernel)
    result: Tensor = _MAX[x.dim()](x, kernel, steps, both, ceil_mode=bool(ceil_mode))
    return result


def avg_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    exclude_padding_from_average: Tensor | bool = False,
    ceil_mode: Tensor | bool = False,
) -> Tensor:
    """x [N,C,*size] -> the mean of each window, with the padding counted as zeros or left out.

    What ceil_mode adds at the end is padding to Core ML, and is counted where padding is: unlike torch, it then divides
    by the whole kernel. Source: MIL's documentation, coremltools issue 2772 and pull request 2844.
    """
    kernel, steps, pads = _window(x, kernel_sizes, pad_type, strides, pad, ceil_mode)
    if ceil_mode and not exclude_padding_from_average:
        pads, ceil_mode = _reaching(x, kernel, steps, pads), False
    both = symmetric(pads)
    average = _AVERAGE[x.dim()]
    if both is not None:
        return average(x, kernel, steps, both, bool(ceil_mode), not exclude_padding_from_average)
    means = average(padded(x, pads), kernel, steps)
    if not exclude_padding_from_average:
        return means
    share = average(padded(torch.ones_like(x[:1, :1]), pads), kernel, steps)
    return means / share


def _reaching(x: Tensor, kernel: list[int], steps: list[int], pads: list[int]) -> list[int]:
    """Grow the padding at the end of each axis to where the last window of ceil_mode ends."""
    grown = list(pads)
    for axis, (size, width, step) in enumerate(zip(x.shape[2:], kernel, steps, strict=True)):
        before, after = pads[2 * axis], pads[2 * axis + 1]
        made = -(-(size + before + after - width) // step) + 1
        if (made - 1) * step >= size + before and before + after > 0:
            made -= 1
        grown[2 * axis + 1] = max((made - 1) * step + width - size - before, after)
    return grown


def _window(
    x: Tensor, kernel_sizes: Tensor, pad_type: str, strides: Tensor | None, pad: Tensor | None, ceil_mode: Tensor | bool
) -> tuple[list[int], list[int], list[int]]:
    if x.dim() not in _MAX:
        raise ValueError(f"x of rank {x.dim()}")
    kernel = whole(kernel_sizes)
    steps = [1] * len(kernel) if strides is None else whole(strides)
    if min(kernel + steps) < 1:
        raise ValueError(f"kernel {kernel} with strides {steps}")
    pads = padding(pad_type, pad, x.shape[2:], kernel, steps)
    if ceil_mode and symmetric(pads) is None:
        raise ValueError(f"ceil_mode with the uneven padding {pads}")
    return kernel, steps, pads
