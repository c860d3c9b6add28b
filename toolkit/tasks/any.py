"""Whatever a network answers: all of its outputs, each compared with the unprotected network's."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ._values import closeness, sampled
from .base import Answers, Facts, Task, mean_loss


class Any(Task):
    """Every output as it is; `whole` has bit i set where output i is made of whole numbers, which are equal or not."""

    metric = "agreement"
    agreement = "agreement"
    settings: ClassVar[dict[str, float]] = {"whole": 0.0}

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """Always, where nothing else does."""
        return 0.1

    @classmethod
    def settings_for(cls, facts: Facts) -> dict[str, float]:
        """Note which outputs are whole numbers."""
        return {"whole": float(sum(2**place for place, one in enumerate(facts.outputs) if one.whole))}

    def keep(self, answers: Answers) -> Answers:
        """The values themselves, of large outputs a sample."""
        return tuple(sampled(value) for value in answers)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """Mean over the outputs of: share of equal whole numbers, or one minus the difference beside the spread."""
        found = [
            (mine == truth).flatten(1).float().mean(1) if self._is_whole(place) else closeness(mine, truth)
            for place, (mine, truth) in enumerate(zip(kept, wanted, strict=True))
        ]
        return torch.stack(found).mean(0)

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Squared error of every output that is no whole number."""
        floats = [place for place in range(len(answers)) if not self._is_whole(place)]
        return mean_loss([answers[place] for place in floats], [wanted[place] for place in floats])

    def _is_whole(self, place: int) -> bool:
        return bool(int(self.chosen["whole"]) >> place & 1)
