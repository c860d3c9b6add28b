"""Numbers: an age, a price, a distance, a depth for every pixel."""

from __future__ import annotations

from torch import Tensor

from ._values import closeness, sampled
from .base import Answers, Facts, Task, mean_loss


class Regress(Task):
    """Values [B], [B,K] or [B,1,h,w]; errors are measured against how much the values differ between photos."""

    metric = "1 - error / spread"
    agreement = "1 - difference / spread"

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """One output with one number, or a map of one number."""
        (first, *others) = facts.outputs
        if others or first.whole:
            return 0.0
        single = first.shape in ((), (1,)) or (len(first.shape) == 3 and first.shape[0] == 1)
        return 0.7 if single else 0.0

    def keep(self, answers: Answers) -> Answers:
        """The values themselves, of large maps a sample."""
        return (sampled(answers[0]),)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """One minus the root mean square difference beside the values' spread over the photos, at least 0."""
        return closeness(kept[0], wanted[0])

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Squared error beside the values' variance."""
        return mean_loss(answers[:1], wanted[:1])
