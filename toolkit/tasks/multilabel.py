"""Any number of K labels at once: each is there or not."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from .base import Answers, Facts, Task


class Multilabel(Task):
    """Logits or probabilities [B,K] in the first output; a label is there above `threshold`."""

    metric = "labels right"
    agreement = "labels in agreement"
    has_classes = True
    settings: ClassVar[dict[str, float]] = {"threshold": 0.0}

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """One output [B,K] straight from a sigmoid."""
        (first, *others) = facts.outputs
        several = not others and len(first.shape) == 1 and first.shape[0] >= 2
        return 0.95 if several and first.last[:1] == ("sigmoid",) else 0.0

    @classmethod
    def settings_for(cls, facts: Facts) -> dict[str, float]:
        """Probabilities are cut at a half, logits at 0."""
        return {"threshold": 0.5} if facts.outputs[0].last[:1] == ("sigmoid",) else {}

    def keep(self, answers: Answers) -> Answers:
        """Which labels are there [B,K], bool."""
        return (answers[0] > self.chosen["threshold"],)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """Intersection over union of the two sets of labels; 1 where both are empty."""
        both = (kept[0] & wanted[0]).flatten(1).sum(1).float()
        either = (kept[0] | wanted[0]).flatten(1).sum(1).float()
        return (both / either.clamp(min=1)).where(either > 0, 1.0)

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Binary cross-entropy with the unprotected network's probabilities."""
        if self.chosen["threshold"] > 0:  # probabilities
            return functional.binary_cross_entropy(answers[0].clamp(1e-6, 1 - 1e-6), wanted[0].clamp(0, 1))
        return functional.binary_cross_entropy_with_logits(answers[0], wanted[0].sigmoid())
