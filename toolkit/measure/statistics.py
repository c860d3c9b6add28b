"""Figures out of samples, and the question whether the samples belong together at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.base import Summary as Summary

#: a step smaller than this share of the median is not worth a warning
LEAST_STEP = 0.10
#: turns on either side of a step; with fewer, one slow turn looks like a step
LEAST_TURNS = 4


def summarise(samples_ms: Sequence[float]) -> Summary:
    """Describe samples [n], n >= 1, in ms: population deviation, linearly interpolated percentiles."""
    values = np.asarray(samples_ms, dtype=np.float64)
    p50, p90, p99 = np.percentile(values, [50, 90, 99])
    return Summary(
        len(values), float(values.mean()), float(values.std()), float(values.min()), float(p50), float(p90), float(p99)
    )


def change_point(turns_ms: Sequence[float]) -> tuple[int, float] | None:
    """Find where a series of per-turn medians steps to another level: throttling, or a neighbour that came to stay.

    The split with the largest Mann-Whitney z is tested; z > 3.5 keeps false alarms rare although many
    splits are tried. Ranks, not values, so that single outliers do not count.

    Returns:
        (index of the first turn on the new level, new level / old level), or None.
    """
    values = np.asarray(turns_ms, dtype=np.float64)
    n = len(values)
    if n < 2 * LEAST_TURNS:
        return None
    ranks = np.empty(n)
    ranks[values.argsort(kind="stable")] = np.arange(1, n + 1)
    best, best_z = 0, 0.0
    for split in range(LEAST_TURNS, n - LEAST_TURNS + 1):
        before, after = split, n - split
        u = ranks[:split].sum() - before * (before + 1) / 2
        z = abs(u - before * after / 2) / np.sqrt(before * after * (n + 1) / 12)
        if z > best_z:
            best, best_z = split, float(z)
    step = float(np.median(values[best:]) / np.median(values[:best])) if best else 1.0
    # with 2 x 4 turns the largest possible z is 2.3: few turns need complete separation instead
    complete = best > 0 and (values[:best].max() < values[best:].min() or values[:best].min() > values[best:].max())
    if abs(step - 1) < LEAST_STEP or not (best_z > 3.5 or (complete and n < 20)):
        return None
    return best, step
