"""A share with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: two-sided 95 %
_Z = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, n at least 1."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval, which keeps its coverage where all or none hit and n is small.

        Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
        """
        share, z2 = self.value, _Z * _Z
        centre = share + z2 / (2 * self.n)
        half = _Z * math.sqrt(share * (1 - share) / self.n + z2 / (4 * self.n * self.n))
        scale = 1 + z2 / self.n
        low, high = (centre - half) / scale, (centre + half) / scale
        # at the ends the formula is exact, its rounding is not
        return (0.0 if self.hits == 0 else low, 1.0 if self.hits == self.n else high)
