"""Pooling whose windows differ in size or reach beyond the features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ._table import constants, rewrites
from .resize import along_both


@rewrites("aten.avg_pool2d.default")
def average(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor | None:
    """Sums over whole windows, then each window's own divisor.

    Runtimes disagree on what a window that reaches beyond the padding is divided by: Core ML
    takes the whole kernel (coremltools issue 2772), LiteRT's int8 refuses.
    """
    kernel, padding = _pair(kernel), _pair(padding)
    steps = _pair(stride) if len(stride) else kernel
    beyond = [_beyond(n, k, s, p, ceil_mode) for n, k, s, p in zip(x.shape[2:], kernel, steps, padding, strict=True)]
    uneven = any(beyond) or (any(padding) and not count_include_pad)
    if not uneven and divisor_override is None:
        return None if not ceil_mode else functional.avg_pool2d(x, kernel, steps, padding)
    area = kernel[0] * kernel[1]
    with constants():
        counts = [
            _counts(n, k, s, p, b, count_include_pad)
            for n, k, s, p, b in zip(x.shape[2:], kernel, steps, padding, beyond, strict=True)
        ]
        share = (area / (counts[0][:, None] * counts[1][None, :]))[None, None]
    padded = functional.pad(x, (padding[1], padding[1] + beyond[1], padding[0], padding[0] + beyond[0]))
    means = functional.avg_pool2d(padded, kernel, steps)
    if divisor_override is not None:
        return means * (area / divisor_override)
    return means * share


def _beyond(n: int, kernel: int, step: int, padding: int, ceil_mode: bool) -> int:
    """How far the last window reaches beyond the padding."""
    if not ceil_mode:
        return 0
    made = -(-(n + 2 * padding - kernel) // step) + 1
    if (made - 1) * step >= n + padding:  # a window must begin in the features or in the padding before them
        made -= 1
    return max((made - 1) * step + kernel - (n + 2 * padding), 0)


def _counts(n: int, kernel: int, step: int, padding: int, beyond: int, count_include_pad: bool) -> Tensor:
    """How many of each window's places count, along one axis."""
    reach = padding if count_include_pad else 0
    counted = torch.zeros(n + 2 * padding + beyond)
    counted[padding - reach : padding + n + reach] = 1
    return counted.unfold(0, kernel, step).sum(1)


@rewrites("aten.adaptive_avg_pool2d.default")
def adaptive_average(x: Tensor, size: Sequence[int | None]) -> Tensor | None:
    """Means over windows of unequal sizes, as one matrix per axis."""
    wanted = [n if m is None else int(m) for n, m in zip(x.shape[-2:], size, strict=True)]
    if x.dim() != 4 or all(n % m == 0 for n, m in zip(x.shape[2:], wanted, strict=True)):
        return None
    with constants():
        rows, columns = (_means(n, m) for n, m in zip(x.shape[2:], wanted, strict=True))
    return along_both(x, rows, columns)


def _means(n: int, m: int) -> Tensor | None:
    if n == m:
        return None
    matrix = torch.zeros(m, n)
    for row, (begin, end) in enumerate(_windows(n, m)):
        matrix[row, begin:end] = 1 / (end - begin)
    return matrix


@rewrites("aten.adaptive_max_pool2d.default")
def adaptive_maximum(x: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor] | None:
    """Maxima over windows of unequal sizes, one axis after the other. The indices are not made."""
    if x.dim() != 4:
        return None
    height, width = (n if m is None else int(m) for n, m in zip(x.shape[-2:], size, strict=True))
    if x.shape[2] % height == 0 and x.shape[3] % width == 0:
        window = (x.shape[2] // height, x.shape[3] // width)
        return (functional.max_pool2d(x, window, window) if window != (1, 1) else x), x
    rows = [_largest(x[:, :, begin:end], (end - begin, 1)) for begin, end in _windows(x.shape[2], height)]
    x = torch.cat(rows, 2)
    columns = [_largest(x[:, :, :, begin:end], (1, end - begin)) for begin, end in _windows(x.shape[3], width)]
    return torch.cat(columns, 3), x


@rewrites("aten.max_pool2d.default", targets=("coreml", "tflite"))
def dilated_maximum(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Tensor | None:
    """Windows with gaps: each window's places side by side along either axis, then a pooling without gaps.

    Core ML has no such pooling; LiteRT's converter spells it out in maxima that its quantiser cannot calibrate.
    """
    kernel, padding, apart = _pair(kernel), _pair(padding), _pair(dilation)
    if apart == (1, 1) or x.dim() != 4:
        return None
    steps = _pair(stride) if len(stride) else kernel
    for axis in (0, 1):
        n, k, d = x.shape[axis + 2], kernel[axis], apart[axis]
        reach = (k - 1) * d + 1
        beyond = _beyond(n, reach, steps[axis], padding[axis], ceil_mode)
        with constants():
            places = _window_places(n, k, d, steps[axis], padding[axis], beyond)
        window = (k, 1) if axis == 0 else (1, k)
        x = functional.max_pool2d(x.index_select(axis + 2, places), window, window)
    return x


def _window_places(n: int, k: int, apart: int, step: int, padding: int, beyond: int) -> Tensor:
    """Which of n places each window takes, k of them; a place outside stands for one of the window's that is not."""
    count = (n + 2 * padding + beyond - (k - 1) * apart - 1) // step + 1
    places = []
    for first in range(-padding, count * step - padding, step):
        taken = [place for place in range(first, first + k * apart, apart) if 0 <= place < n]
        places += taken + taken[:1] * (k - len(taken))
    return torch.tensor(places)


def _largest(part: Tensor, window: tuple[int, int]) -> Tensor:
    return part if window == (1, 1) else functional.max_pool2d(part, window, window)


def _windows(n: int, m: int) -> list[tuple[int, int]]:
    """Where torch's m windows over n places begin and end."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    return (sizes[0], sizes[-1])
