"""Inverse network: a decoder trained on protected features of the attacker's own photos. Black box.

Source: He et al., "Model inversion attacks against collaborative inference", ACSAC 2019; Titcombe et al.,
arXiv 2104.05743. [ours] the decoder's form; it is trained on mean squared error with features of the same
protection, averaged over as many observations as it will get.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._observing import Standardise, averaged, mean_of, seeded, train_on
from .base import Attack, Knowledge


class InverseNetwork(Attack):
    """Rebuild the photo from the features, in one pass through a decoder."""

    yields: ClassVar = "images"

    def __init__(self, *, epochs: int = 25, width: int = 32, learning_rate: float = 3e-3, batch_size: int = 50) -> None:
        self.epochs = epochs
        self.width = width
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self._decoder: nn.Module | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train the decoder from nothing."""
        features = averaged(knowledge)
        shape = (features.shape[1], features.shape[2], features.shape[3])
        image = (knowledge.images.shape[1], knowledge.images.shape[2], knowledge.images.shape[3])
        body = seeded(lambda: _decoder(shape, image, self.width), knowledge.seed)
        # the decoder predicts the difference to the mean photo, which is what it has to beat
        model = _Around(nn.Sequential(Standardise(features), body), knowledge.images.mean(0, keepdim=True))

        def loss_of(rebuilt: Tensor, index: Tensor) -> Tensor:
            return functional.mse_loss(rebuilt, knowledge.images[index])

        train_on(
            knowledge,
            model,
            loss_of,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            text="inverse network",
        )
        self._decoder = model.eval()

    @torch.no_grad()
    def run(self, smashed: Tensor) -> Tensor:
        """Decode [B,n,C,h,w] -> [B,channels,H,W]."""
        if self._decoder is None:
            raise RuntimeError("train() comes before run()")
        decoded: Tensor = self._decoder(mean_of(smashed))
        return decoded


class _Around(nn.Module):
    centre: Tensor

    def __init__(self, body: nn.Module, centre: Tensor) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("centre", centre)

    def forward(self, features: Tensor) -> Tensor:
        rebuilt: Tensor = self.body(features) + self.centre
        return rebuilt


def _decoder(features: tuple[int, int, int], image: tuple[int, int, int], width: int) -> nn.Sequential:
    """Small maps pass a fully connected layer first (what they hold is spread out), large ones do not."""
    channels, height, across = features
    layers: list[nn.Module] = []
    if math.prod(features) <= 2048:
        start = (max(image[1] // 4, 1), max(image[2] // 4, 1))
        if math.prod(start) > 256:
            start = (16, 16)
        inner = width // 2
        layers += [nn.Flatten(), nn.Linear(math.prod(features), inner * math.prod(start)), nn.ReLU()]
        layers += [nn.Unflatten(1, (inner, *start)), nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
        height, across = start
    else:
        layers += [
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        ]
    inner = width
    while height < image[1] or across < image[2]:
        height, across = min(height * 2, image[1]), min(across * 2, image[2])
        narrower = max(inner // 2, 12)
        layers += [nn.Upsample((height, across), mode="bilinear"), nn.Conv2d(inner, narrower, 3, padding=1), nn.ReLU()]
        inner = narrower
    if (height, across) != image[1:]:
        layers.append(nn.Upsample(image[1:], mode="bilinear"))
    return nn.Sequential(*layers, nn.Conv2d(inner, image[0], 3, padding=1))
