"""rMLE: white-box optimisation of an image until its features match, with a total-variation prior.

Source: He et al., "Model inversion attacks against collaborative inference", ACSAC 2019 (regularised
maximum likelihood estimation). The last iterate is what counts: choosing an iterate by likeness to the true
photo, as public code does, is knowledge that no attacker has. [ours] the head it inverts contains the protection
at its mean noise (eps = 0); it starts from the attacker's mean photo and stays in the attacker's range of values.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ._observing import mean_of
from .base import Attack, Knowledge


class RegularisedMle(Attack):
    """Find the image whose features are nearest to the averaged ones."""

    yields: ClassVar = "images"
    optimises: ClassVar = True

    def __init__(self, *, steps: int = 150, learning_rate: float = 0.05, total_variation: float = 0.02) -> None:
        self.steps = steps
        self.learning_rate = learning_rate
        self.total_variation = total_variation
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Keep the head; nothing is trained.

        Raises:
            ValueError: no head, which a white-box attack needs.
        """
        if knowledge.head is None:
            raise ValueError("rMLE is a white-box attack and needs the head")
        self._knowledge = knowledge

    def run(self, smashed: Tensor) -> Tensor:
        """Optimise for [B,n,C,h,w] -> [B,channels,H,W]."""
        knowledge = self._knowledge
        if knowledge is None or knowledge.head is None:
            raise RuntimeError("train() comes before run()")
        target = mean_of(smashed).detach()
        scale = target.square().mean((1, 2, 3)).clamp(min=1e-8)
        low, high = knowledge.images.min(), knowledge.images.max()
        image = knowledge.images.mean(0, keepdim=True).repeat(len(target), 1, 1, 1).requires_grad_(True)
        optimizer = torch.optim.Adam([image], lr=self.learning_rate * (high - low).item())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for done in range(self.steps):
            distance = (knowledge.head(image) - target).square().mean((1, 2, 3)) / scale
            # a sum over photos, so that each is optimised on its own
            loss = (distance + self.total_variation * _total_variation(image) / (high - low)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                image.clamp_(low, high)
            knowledge.progress(done + 1, self.steps, f"rMLE, distance {distance.mean().item():.4f}")
        return image.detach()


def _total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference between neighbours, [B]."""
    down = (image[:, :, 1:] - image[:, :, :-1]).abs().mean((1, 2, 3))
    across = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean((1, 2, 3))
    return down + across
