"""Shredder: learned additive noise tensors, one of them drawn per request.

Source: Mireshghallah et al., "Shredder: Learning Noise Distributions to Protect Inference Privacy",
ASPLOS 2020, arXiv 1905.11814: frozen network, several noise tensors, each started from a Laplace distribution and
trained with cross-entropy - weight * noise power; at run time a noise tensor is sampled from what was learned.
[ours] The source fits a Laplace distribution to each tensor and re-sorts fresh samples into the tensor's
own order, which for thousands of elements reproduces the tensor; here the tensor itself is drawn, by a softmax over
eps sharp enough to pick its largest entry. [ours] the weight follows the user's accuracy, see `Balance`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._features import sample_of
from ._learned_noise import learn_noise
from .base import FeatureShape, Protection, Sent, Training


class Shredder(Protection):
    """x + strength * (one of `count` learned tensors, drawn by eps [B,count,1,1])."""

    trains = "the noise tensors; head and tail stay frozen"
    shares = ("max_drop",)
    options: ClassVar[dict[str, float]] = {
        "count": 16,
        "initial_scale": 0.5,
        "noise_weight": 0.01,
        "max_drop": 0.005,
        "learning_rate": 0.02,
    }

    def __init__(self, features: FeatureShape, *, count: float = 16) -> None:
        super().__init__(features)
        self.tensors = nn.Parameter(torch.zeros(int(count), math.prod(features)))

    def eps_shape(self) -> tuple[int, ...]:
        """Take one normal number per learned tensor."""
        return len(self.tensors), 1, 1

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed [B,C,h,w], eps [B,count,1,1] -> protected [B,C,h,w]."""
        picked = torch.softmax(eps.flatten(1) * 1e5, dim=1)
        noise = functional.linear(picked, self.tensors.transpose(0, 1)).unflatten(1, self.features)
        protected: Tensor = smashed + self.strength * noise
        return protected

    def fit(self, training: Training) -> None:
        """Train the tensors: cross-entropy of the frozen tail - weight * log(noise power)."""
        options = self.settings(training.options)
        if training.resume_from is None:
            self._draw_tensors(training, options["initial_scale"])
        learn_noise(
            training,
            self,
            options,
            rate=options["learning_rate"] * self.tensors.abs().mean().item(),
            size=lambda: torch.log(self.tensors.square().mean(1) + 1e-12).mean(),
            name="shredder",
        )

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Start from Laplace noise of half a code."""
        self._draw(options.get("initial_scale", 0.5), generator)

    def hidden(self, sent: Sent) -> Tensor:
        """Minus half of log2 of the noise's power for each symbol, as for a Gaussian channel."""
        power = torch.log2(self.tensors.square().mean(1) + 1e-12).mean()
        return -0.5 * math.prod(self.features) * power

    def _draw_tensors(self, training: Training, scale: float) -> None:
        """Start from Laplace noise of `scale` standard deviations of the features."""
        generator = torch.Generator().manual_seed(training.seed)
        self._draw(scale * sample_of(training).std().item(), generator)

    def _draw(self, scale: float, generator: torch.Generator) -> None:
        uniform = torch.rand(self.tensors.shape, generator=generator) - 0.5
        laplace = -uniform.sign() * torch.log1p(-2 * uniform.abs().clamp(max=0.4999)) * math.sqrt(0.5)
        with torch.no_grad():
            self.tensors.copy_(scale * laplace)

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the learned noise's scale beside the features'."""
        return {
            "noise_std": (self.strength * self.tensors.std()).item(),
            "tensors": float(len(self.tensors)),
            "smashed_std": smashed.std().item(),
        }
