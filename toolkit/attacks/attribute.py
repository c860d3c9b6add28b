"""Attribute inference: a classifier, retrained on protected features, for a task that is not the user's.

Source: the setting of PriPro's abstract (model_a); Song and Shmatikov, "Overlearning Reveals Sensitive
Attributes", ICLR 2020. [ours] the classifier's form: two convolutions and two linear layers.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._observing import Standardise, averaged, mean_of, seeded, train_on
from .base import Attack, Knowledge

#: shares of the learning rate: an attacker whose training came to nothing starts again more slowly [ours]
_TRIES = (1.0, 0.1, 0.01)
_MORE_THAN_A_GUESS = 0.03


class AttributeInference(Attack):
    """Scores for the attacker's task from averaged features."""

    yields: ClassVar = "attribute"

    def __init__(self, *, epochs: int = 12, width: int = 32, learning_rate: float = 2e-3, batch_size: int = 50) -> None:
        self.epochs = epochs
        self.width = width
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self._classifier: nn.Module | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train the classifier from nothing.

        Raises:
            ValueError: the knowledge holds no attribute.
        """
        attribute = knowledge.attribute
        if attribute is None:
            raise ValueError("attribute inference needs the attribute of the attacker's images")
        features = averaged(knowledge)

        def loss_of(scores: Tensor, index: Tensor) -> Tensor:
            return functional.cross_entropy(scores, attribute[index])

        for share in _TRIES:
            model = seeded(lambda: self._build(features, knowledge.classes), knowledge.seed)
            train_on(
                knowledge,
                model,
                loss_of,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate * share,
                text="attribute",
            )
            self._classifier = model.eval()
            if self._learned(features, attribute):
                return

    @torch.no_grad()
    def run(self, smashed: Tensor) -> Tensor:
        """Score [B,n,C,h,w] -> log-probabilities [B,classes]."""
        if self._classifier is None:
            raise RuntimeError("train() comes before run()")
        return torch.log_softmax(self._classifier(mean_of(smashed)), dim=1)

    def _learned(self, features: Tensor, attribute: Tensor) -> bool:
        """Whether the attacker knows more about its own photos than their most frequent attribute."""
        guessed = torch.bincount(attribute).max() / len(attribute)
        right = (self.run(features.unsqueeze(1)).argmax(1) == attribute).float().mean()
        return bool(right > guessed + _MORE_THAN_A_GUESS)

    def _build(self, features: Tensor, classes: int) -> nn.Module:
        channels, height, across = features.shape[1:]
        layers: list[nn.Module] = [Standardise(features), nn.Dropout(0.1)]
        while height * across > 64:
            layers += [nn.Conv2d(channels, self.width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels, height, across = self.width, height // 2, across // 2
        layers += [nn.Flatten(), nn.Linear(channels * height * across, 2 * self.width), nn.ReLU(), nn.Dropout(0.2)]
        return nn.Sequential(*layers, nn.Linear(2 * self.width, classes))
