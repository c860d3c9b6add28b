"""Additive Laplace noise of fixed scale.

Source: as gaussian; Laplace noise is what differential privacy for real numbers uses (Dwork et al., TCC 2006).
[ours] a Laplace variable is made of four standard normal ones inside the graph: x1*x4 - x2*x3, the
determinant of a 2 x 2 normal matrix, is Laplace distributed with scale 1, so its standard deviation is sqrt(2).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from ._features import sample_of
from .base import FeatureShape, Protection, Training


class Laplace(Protection):
    """x + strength * scale * Laplace noise of unit standard deviation."""

    trains = "nothing; measures the features' standard deviation"
    options: ClassVar[dict[str, float]] = {"scale": 1.0}
    deviation: Tensor

    def __init__(self, features: FeatureShape) -> None:
        super().__init__(features)
        self.register_buffer("deviation", torch.tensor(1.0))

    def eps_shape(self) -> tuple[int, ...]:
        """Take four normal numbers per feature."""
        channels, height, width = self.features
        return 4 * channels, height, width

    def fit(self, training: Training) -> None:
        """Set the noise to `scale` standard deviations of the victim's features."""
        scale = self.settings(training.options)["scale"]
        self.deviation.fill_(scale * sample_of(training).std())

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Start at half a code's noise; the search for the strength moves it."""
        self.deviation.fill_(options.get("scale", 0.5))

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed [B,C,h,w], eps [B,4C,h,w] -> protected [B,C,h,w]."""
        c = self.features[0]
        laplace = eps[:, :c] * eps[:, 3 * c :] - eps[:, c : 2 * c] * eps[:, 2 * c : 3 * c]
        return smashed + self.strength * self.deviation * (laplace * math.sqrt(0.5))

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the noise's scale beside the features'."""
        return {"noise_std": (self.strength * self.deviation).item(), "smashed_std": smashed.std().item()}
