"""The benchmark's network: ResNet-18 from layer3 on, random weights; also packed for the peers that run torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

SHAPE = (128, 28, 28)
CLASSES = 1000


class Block(nn.Module):
    """ResNet's basic block: two 3x3 convolutions around a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        plain = inside == outside and stride == 1
        self.short = (
            nn.Identity()
            if plain
            else nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.short(x))


def make() -> nn.Module:
    """ResNet-18's layer3, layer4, pooling and classifier; the same weights every time."""
    torch.manual_seed(0)
    blocks = [Block(128, 256, 2), Block(256, 256, 1), Block(256, 512, 2), Block(512, 512, 1)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES)).eval()


def features(n: int, seed: int = 0) -> np.ndarray:
    """Smashed data as a ReLU and noise leave it, float32 [n,128,28,28]."""
    rng = np.random.default_rng(seed)
    return (np.maximum(rng.standard_normal((n, *SHAPE)), 0) + 0.3 * rng.standard_normal((n, *SHAPE))).astype(np.float32)
