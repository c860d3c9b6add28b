"""What a wrong tensor looks like beside the right one: scaled, permuted, in another layout, not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .compare import sqnr_db

if TYPE_CHECKING:
    from .replay import Array

#: a transformed tensor explains a departure when it then agrees this well, in dB
_EXPLAINED = 20.0
_LEAST_GAIN = 0.02
#: channels are told apart by their correlation; so much of them must be found elsewhere
_SAME_CHANNEL = 0.99
HALF_PRECISION_ENDS = 65504.0


def relation(expected: Array, got: Array) -> str:
    """Name how `got` [n,c,h,w] (or any other shape) departs from `expected`, or "" where no simple form fits."""
    if not np.isfinite(got).all():
        count = int((~np.isfinite(got)).sum())
        peak = float(np.abs(expected).max())
        return f"{count} of {got.size} values are not finite (eager torch's largest is {peak:.3g}; " + (
            "half precision ends at 65504, on every runtime that computes in it)"
            if peak > HALF_PRECISION_ENDS / 4
            else "an overflow)"
        )
    power = float(np.square(expected, dtype=np.float64).sum())
    gain = float((expected.astype(np.float64) * got).sum()) / power if power > 0.0 else 1.0
    if abs(gain - 1.0) > _LEAST_GAIN and abs(gain) > _LEAST_GAIN and _fits(gain * expected, got):
        return f"{gain:.3g} times what it should be"
    if expected.ndim != 4:
        return ""
    return _layout(expected, got) or _permutation(expected, got)


def _fits(expected: Array, got: Array) -> bool:
    return sqnr_db(expected, got) >= _EXPLAINED


def _layout(expected: Array, got: Array) -> str:
    n, c, h, w = expected.shape
    if c == 1 or h * w == 1:  # both layouts are the same bytes
        return ""
    if _fits(expected, got.reshape(n, h, w, c).transpose(0, 3, 1, 2)):
        return "NHWC values handed out as NCHW"
    if _fits(expected, got.transpose(0, 2, 3, 1).reshape(n, c, h, w)):
        return "NCHW values handed out as NHWC"
    if h == w and h > 1 and _fits(expected, got.swapaxes(2, 3)):
        return "height and width are swapped"
    return ""


def _permutation(expected: Array, got: Array) -> str:
    """Find each channel of `got` among those of `expected`."""
    left, right = (_normal(value[:1].reshape(value.shape[1], -1)) for value in (expected, got))
    correlation = right @ left.T
    best = correlation.argmax(1)
    alive = (left.any(1)) & (right.any(1))
    sure = alive & (correlation.max(1) >= _SAME_CHANNEL)
    moved = int((best[sure] != np.flatnonzero(sure)).sum())
    # the best match of a channel that equals another one may be that other one: ask for a better fit
    if moved < 2 or sure.sum() < 0.9 * alive.sum():
        return ""
    own = correlation.diagonal()[sure]
    really = int((correlation.max(1)[sure] > own + 1e-3).sum())
    return f"{really} of its {len(best)} channels stand in another's place" if really >= 2 else ""


def _normal(rows: Array) -> Array:
    centred = rows.astype(np.float64) - rows.mean(1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: Array = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 1e-9)
    return unit
