"""One of K classes: the answer is the top class."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from .base import Answers, Facts, Task, soft_loss


class Classify(Task):
    """Logits (or probabilities) [B,K] in the first output."""

    metric = "top-1"
    agreement = "top-1 agreement"
    uses_labels = True
    has_classes = True

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """One output [B,K], K at least 2, not normalised to a length."""
        (first, *others) = facts.outputs
        if others or first.whole or len(first.shape) != 1 or first.shape[0] < 2:
            return 0.0
        return 0.9 if facts.labelled else 0.6

    def keep(self, answers: Answers) -> Answers:
        """The top class [B]."""
        return (answers[0].argmax(1),)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """1 where the top class is the same."""
        return (kept[0] == wanted[0]).float()

    def right(self, kept: Answers, labels: Tensor) -> Tensor:
        """1 where the top class is the label."""
        return (kept[0] == labels).float()

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Divergence from the unprotected network's distribution."""
        return soft_loss(answers[0], wanted[0])

    def labelled_loss(self, answers: Answers, labels: Tensor) -> Tensor:
        """Cross-entropy."""
        return functional.cross_entropy(answers[0], labels)

    def groups(self, kept: Answers) -> tuple[Tensor, int]:
        """The class itself."""
        return kept[0], int(kept[0].max()) + 1 if math.prod(kept[0].shape) else 1
