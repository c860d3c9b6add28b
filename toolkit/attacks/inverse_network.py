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

    def __init__(self, *, epochs: int = 15, width: int = 32, learning_rate: float = 3e-3, batch_size: int = 50) -> None:
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
    """Convolutions at the features' size, doubled until near the image's, pixels shuffled out at the end.

    Small maps pass a fully connected layer first: what they hold is spread over all positions.
    """
    channels, height, across = features
    layers: list[nn.Module] = []
    if math.prod(features) <= 2048:
        layers += [nn.Flatten(), nn.Linear(math.prod(features), width * 64), nn.ReLU(), nn.Unflatten(1, (width, 8, 8))]
        channels, height, across = width, 8, 8
    layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    while height * 4 <= image[1] and across * 4 <= image[2]:
        height, across = height * 2, across * 2
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    factor = max(-(-image[1] // height), 1)
    layers += [nn.Conv2d(width, image[0] * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
    if (height * factor, across * factor) != image[1:]:
        layers.append(nn.Upsample(image[1:], mode="bilinear"))
    return nn.Sequential(*layers)
