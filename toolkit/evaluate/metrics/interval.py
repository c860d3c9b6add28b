"""How sure a share is: percentile bootstrap over photos. Source: Efron and Tibshirani, 1993."""

from __future__ import annotations

import torch
from torch import Tensor

from .pi import LEAST_ADVANTAGE

_DRAWS = 1000
_LEVEL = 0.95
Interval = tuple[float, float]


def share_interval(values: Tensor, seed: int = 0) -> Interval:
    """95 % interval of the mean of values [N], one per photo."""
    return _percentiles(_means(values, seed))


def pi_interval(before: Tensor, after: Tensor, chance: float, seed: int = 0) -> Interval | None:
    """95 % interval of PI, photos drawn with replacement.

    Args:
        before: [N] the strongest unprotected attacker's success per photo (hits, or shares of hits).
        after: [M] this attacker's success per photo; the same photos, the first M of them.
        chance: success without looking.
        seed: of the draws.

    Returns:
        Lower and upper end, or None where the unprotected attacker is no better than chance in most draws.
    """
    if len(after) == len(before):
        first, second = _means(torch.stack([before, after], 1), seed).unbind(1)
    else:
        first, second = _means(before, seed), _means(after, seed + 1)
    counts = first - chance >= LEAST_ADVANTAGE
    if counts.float().mean() < 0.5:
        return None
    found = (1.0 - (second[counts] - chance) / (first[counts] - chance)).clamp(0.0, 1.0)
    return _percentiles(found)


def ratio_interval(before: Tensor, after: Tensor, seed: int = 0) -> Interval | None:
    """95 % interval of the mean of `after` over that of `before`, [N] each of the same photos, drawn together.

    Returns:
        Lower and upper end, or None where `before` has nothing in half of the draws.
    """
    first, second = _means(torch.stack([before, after], 1), seed).unbind(1)
    counts = first > 0
    return _percentiles(second[counts] / first[counts]) if counts.float().mean() >= 0.5 else None


def _means(values: Tensor, seed: int) -> Tensor:
    """Means [draws,...] over rows of values [N,...] drawn with replacement."""
    generator = torch.Generator().manual_seed(seed)
    count = len(values)
    drawn = torch.randint(count, (_DRAWS, count), generator=generator)
    weights = torch.zeros(_DRAWS, count).scatter_add_(1, drawn, torch.ones(_DRAWS, count)) / count
    return weights @ values.float()


def _percentiles(draws: Tensor) -> Interval:
    edge = (1.0 - _LEVEL) / 2
    low, high = torch.quantile(draws.double(), torch.tensor([edge, 1.0 - edge], dtype=torch.float64)).tolist()
    return round(low, 4), round(high, 4)
