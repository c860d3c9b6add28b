"""Attribute inference with a larger classifier: residual blocks and attention to all positions.

Source: as for `attribute`; a report that tries one size only may have tried the wrong one. [ours] the form.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ._networks import LargeClassifier
from ._observing import examples, reader
from ._scores import fit_classifier, scores
from .base import Attack, Knowledge, Messages


class LargeAttributeInference(Attack):
    """Scores for the attacker's task from one message."""

    yields: ClassVar = frozenset({"attribute"})
    work: ClassVar = {"large": 0.5}

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
            lambda: LargeClassifier(shapes, knowledge.classes, knowledge.budget.width),
            text="attribute, large",
            share=0.5,
            arguments=arguments,
        )

    def run(self, messages: Messages) -> Tensor:
        """Score B photos' messages -> log-probabilities [B,classes]."""
        if self._classifier is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        return scores(self._classifier, self._read(messages), self._knowledge.device)
