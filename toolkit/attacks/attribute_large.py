"""Attribute inference with a larger classifier: residual blocks and attention to all positions.

Source: as for `attribute`; a report that tries one size only may have tried the wrong one. [ours] the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ._networks import LargeClassifier
from .attribute import AttributeInference
from .base import Knowledge


class LargeAttributeInference(AttributeInference):
    """Scores for the attacker's task from one message."""

    work: ClassVar = {"large": 0.5}
    share: ClassVar = 0.5
    says: ClassVar = "attribute, large"

    def classifier(self, knowledge: Knowledge, shapes: Sequence[Tensor]) -> nn.Module:
        """Build the untrained classifier for tensors of these shapes."""
        return LargeClassifier(shapes, knowledge.classes, knowledge.budget.width)
