"""Nullification: random features are set to 0.

Source: Wang et al., "Not Just Privacy" (ARDEN), KDD 2018; He et al., "Attacking and Protecting Data Privacy
in Edge-Cloud Collaborative Inference Systems", IEEE IoT Journal 2020, where dropout beats noise on CIFAR-10.
[ours] the mask comes from standard normal eps by a threshold at the rate's quantile; strength s means that
the share 1 - 2^-s of the features is dropped (1: half), so that 0 keeps all and no strength drops more than everything.
Kept features are not rescaled, as in ARDEN.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import FeatureShape, Protection

_NEVER = -40.0  # below every normal number: nothing is dropped


class Dropout(Protection):
    """x where eps lies above the rate's quantile, 0 elsewhere."""

    trains = "nothing"
    options: ClassVar[dict[str, float]] = {}
    quantile: Tensor

    def __init__(self, features: FeatureShape) -> None:
        super().__init__(features)
        self.register_buffer("quantile", torch.tensor(_NEVER))
        self.set_strength(1.0)

    def set_strength(self, strength: float) -> None:
        """Turn the strength into the threshold here: no mobile runtime has the inverse normal distribution."""
        super().set_strength(strength)
        rate = 1.0 - 2.0**-strength
        value = torch.special.ndtri(torch.tensor(rate, dtype=torch.float64)).clamp(_NEVER, -_NEVER)
        self.quantile.fill_(value.item())

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        return smashed * torch.clamp((eps - self.quantile) * 1e6, 0.0, 1.0)

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the share that is dropped."""
        return {"dropped_share": 1.0 - 2.0 ** -self.strength.item(), "smashed_std": smashed.std().item()}
