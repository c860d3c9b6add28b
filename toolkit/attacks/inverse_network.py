"""Inverse network: the small decoder of the literature, trained on mean squared error. Black box.

Source: He et al., "Model inversion attacks against collaborative inference", ACSAC 2019; Titcombe et al.,
arXiv 2104.05743. [ours] the decoder's form. `residual_decoder` is stronger; this one is what papers report.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._fitting import fit
from ._networks import Standardise
from ._observing import averaged, examples
from ._pictures import decode, mean_photo
from .base import Attack, Knowledge, Messages


class InverseNetwork(Attack):
    """Rebuild the photo from the features, in one pass through a decoder."""

    yields: ClassVar = frozenset({"images"})
    work: ClassVar = {"decoder": 0.5}

    def __init__(self, *, width: int = 32) -> None:
        self.width = width
        self._decoder: nn.Module | None = None
        self._device = torch.device("cpu")

    def train(self, knowledge: Knowledge) -> None:
        """Train the decoder from scratch."""
        shapes = examples(knowledge, lambda index: averaged(knowledge.observe(index)))
        centre = mean_photo(knowledge)
        self._device = knowledge.device

        def loss_of(rebuilt: Tensor, index: Tensor) -> Tensor:
            return functional.mse_loss(rebuilt, knowledge.images[index].to(knowledge.device))

        self._decoder = fit(
            knowledge,
            lambda: _Inverse(shapes, centre, self.width),
            loss_of,
            text="inverse network",
            arguments=lambda index: averaged(knowledge.observe(index)),
        )

    def run(self, messages: Messages) -> Tensor:
        """Decode B photos' messages -> [B,channels,H,W]."""
        if self._decoder is None:
            raise RuntimeError("train() comes before run()")
        return decode(self._decoder, averaged(messages), self._device)


class _Inverse(nn.Module):
    """One branch per crossing tensor; the sum predicts the difference to the mean photo, which it has to beat."""

    centre: Tensor

    def __init__(self, shapes: tuple[Tensor, ...], centre: Tensor, width: int) -> None:
        super().__init__()
        image = (centre.shape[1], centre.shape[2], centre.shape[3])
        self.branches = nn.ModuleList(
            nn.Sequential(Standardise(one), _decoder((one.shape[1], one.shape[2], one.shape[3]), image, width))
            for one in shapes
        )
        self.register_buffer("centre", centre)

    def forward(self, *seen: Tensor) -> Tensor:
        parts = [branch(one) for branch, one in zip(self.branches, seen, strict=True)]
        rebuilt: Tensor = torch.stack(parts).sum(0).float() + self.centre
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
