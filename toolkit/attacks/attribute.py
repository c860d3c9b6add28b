"""Attribute inference: a small classifier, retrained on protected features, for a task that is not the user's.

Source: the setting of PriPro's abstract (model_a); Song and Shmatikov, "Overlearning Reveals Sensitive
Attributes", ICLR 2020. [ours] the classifier's form: two convolutions and two linear layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ._networks import SmallClassifier
from ._observing import examples, reader
from ._scores import fit_classifier, scores
from .base import Attack, Knowledge, Messages


class AttributeInference(Attack):
    """Scores for the attacker's task from one message."""

    yields: ClassVar = frozenset({"attribute"})
    work: ClassVar = {"small": 1.0}
    #: of the budget's steps
    share: ClassVar = 1.0
    says: ClassVar = "attribute"

    def __init__(self) -> None:
        self._classifier: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train the classifier from scratch.

        Raises:
            ValueError: the knowledge holds no attribute.
        """
        self._knowledge, self._read = knowledge, reader(knowledge)

        def arguments(index: Tensor) -> tuple[Tensor, ...]:
            return self._read(knowledge.observe(index))

        shapes = examples(knowledge, arguments)
        self._classifier = fit_classifier(
            knowledge,
            lambda: self.classifier(knowledge, shapes),
            text=self.says,
            arguments=arguments,
            share=self.share,
        )

    def classifier(self, knowledge: Knowledge, shapes: Sequence[Tensor]) -> nn.Module:
        """Build the untrained classifier for tensors of these shapes."""
        return SmallClassifier(shapes, knowledge.classes, knowledge.budget.width // 2)

    def run(self, messages: Messages) -> Tensor:
        """Score B photos' messages -> log-probabilities [B,classes]."""
        if self._classifier is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        return scores(self._classifier, self._read(messages), self._knowledge.device)
