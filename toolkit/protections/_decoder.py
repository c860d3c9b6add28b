"""A small image decoder: what protections train against. Attackers bring their own, retrained from scratch."""

from __future__ import annotations

import math

from torch import nn


def decoder(features: tuple[int, int, int], image: tuple[int, int, int], width: int = 32) -> nn.Sequential:
    """Build a decoder [B,C,h,w] -> [B,channels,H,W].

    Maps of at most 2,048 numbers go through a fully connected layer first, since what they hold is spread
    over all positions; larger ones are decoded where they are.
    """
    channels, height, width_in = features
    layers: list[nn.Module] = []
    if math.prod(features) <= 2048:
        layers += [nn.Flatten(), nn.Linear(math.prod(features), width * 64), nn.ReLU(), nn.Unflatten(1, (width, 8, 8))]
        height = width_in = 8
    else:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    inner = width
    while height < image[1] or width_in < image[2]:
        height, width_in = min(height * 2, image[1]), min(width_in * 2, image[2])
        narrower = max(inner // 2, 16)
        layers += [
            nn.Upsample((height, width_in), mode="bilinear"),
            nn.Conv2d(inner, narrower, 3, padding=1),
            nn.ReLU(),
        ]
        inner = narrower
    if (height, width_in) != image[1:]:
        layers.append(nn.Upsample(image[1:], mode="bilinear"))
    return nn.Sequential(
        *layers, nn.Conv2d(inner, inner, 3, padding=1), nn.ReLU(), nn.Conv2d(inner, image[0], 3, padding=1)
    )
