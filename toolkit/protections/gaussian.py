"""Additive Gaussian noise of fixed scale.

Source: Titcombe et al., "Practical Defences Against Model Inversion Attacks for Split Neural Networks",
arXiv 2104.05743; He et al., "Model inversion attacks against collaborative inference", ACSAC 2019.
[ours] the scale is in units of the features' standard deviation, so that `strength` means the same at every cut.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ._features import sample_of
from .base import FeatureShape, Protection, Training


class Gaussian(Protection):
    """x + strength * scale * eps."""

    trains = "nothing; measures the features' standard deviation"
    options: ClassVar[dict[str, float]] = {"scale": 1.0}
    deviation: Tensor

    def __init__(self, features: FeatureShape) -> None:
        super().__init__(features)
        self.register_buffer("deviation", torch.tensor(1.0))

    def fit(self, training: Training) -> None:
        """Set the noise to `scale` standard deviations of the victim's features."""
        scale = self.settings(training.options)["scale"]
        self.deviation.fill_(scale * sample_of(training).std())

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Start at half a code's noise; the search for the strength moves it."""
        self.deviation.fill_(options.get("scale", 0.5))

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        return smashed + self.strength * self.deviation * eps

    def channel(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """The features themselves, and one variance everywhere."""
        return smashed, (self.strength * self.deviation).square().expand_as(smashed)

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the noise's scale beside the features'."""
        return {"noise_std": (self.strength * self.deviation).item(), "smashed_std": smashed.std().item()}
