"""Cloak: one learned location and scale per feature.

Source: Mireshghallah et al., "Not All Features Are Equal: Discovering Essential Features for Preserving
Prediction Privacy", WWW 2021, arXiv 2003.12154: frozen network, loss = cross-entropy - weight * log(mean scale),
noise on the input image. [ours] on the smashed features here; the weight follows the user's accuracy, see `Balance`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ._features import sample_of
from ._learned_noise import learn_noise
from .base import FeatureShape, Protection, Sent, Training


class Cloak(Protection):
    """x + strength * (loc + scale * eps), loc and scale per element, the same for every input."""

    trains = "loc and scale per feature; head and tail stay frozen"
    shares = ("max_drop",)
    options: ClassVar[dict[str, float]] = {
        "initial_scale": 0.1,
        "noise_weight": 0.05,
        "max_drop": 0.005,
        "learning_rate": 0.03,
    }

    def __init__(self, features: FeatureShape) -> None:
        super().__init__(features)
        self.loc = nn.Parameter(torch.zeros(1, *features))
        self.log_scale = nn.Parameter(torch.zeros(1, *features))

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        protected: Tensor = smashed + self.strength * (self.loc + torch.exp(self.log_scale) * eps)
        return protected

    def fit(self, training: Training) -> None:
        """Train loc and scale: cross-entropy of the frozen tail - weight * log(mean scale)."""
        options = self.settings(training.options)
        deviation = sample_of(training).std()
        if training.resume_from is None:
            with torch.no_grad():
                self.loc.zero_()
                self.log_scale.fill_(torch.log(options["initial_scale"] * deviation + 1e-12).item())
        learn_noise(
            training,
            self,
            options,
            rate=options["learning_rate"],
            size=lambda: torch.log(torch.exp(self.log_scale).mean()),
            name="cloak",
        )

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Start at a third of a code's noise everywhere."""
        with torch.no_grad():
            self.loc.zero_()
            self.log_scale.fill_(math.log(options.get("initial_scale", 0.3)))

    def channel(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """The shifted features, and each element's own variance."""
        variance = (self.strength * torch.exp(self.log_scale)).square()
        return smashed + self.strength * self.loc, variance.expand_as(smashed)

    def hidden(self, sent: Sent) -> Tensor:
        """Minus log2 of the mean scale for each symbol: halving what a symbol reveals counts as one bit."""
        return -math.prod(self.features) * torch.log2(torch.exp(self.log_scale).mean())

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the learned scale beside the features'."""
        return {
            "mean_scale": (self.strength * torch.exp(self.log_scale).mean()).item(),
            "smashed_std": smashed.std().item(),
        }
