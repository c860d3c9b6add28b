"""The decoder: codes back to features, on the server, where compute is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .geometry import Geometry

_WIDTH = 128
#: channels inside the block at full size, at most: it is there to smooth, not to compute
_MOST_INNER = 64
_NO_FLOOR = -1e30


class Decoder(nn.Module):
    """Codes [B,c,h,w] -> features [B,C,H,W]; every position sees every other through one linear layer.

    `floor` is 0 where the network's own features are never negative, as behind a ReLU.
    """

    floor: Tensor

    def __init__(self, geometry: Geometry, width: int = _WIDTH) -> None:
        super().__init__()
        channels, height, across = geometry.features
        self.size = (height, across)
        self.offset = geometry.padding
        self.local = nn.Conv2d(geometry.channels, width, 1)
        self.overall = nn.Linear(geometry.symbols, width)
        self.small = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), Residual(width, width))
        self.up = nn.Sequential(nn.Conv2d(width, channels * geometry.stride**2, 1), nn.PixelShuffle(geometry.stride))
        self.norm = nn.BatchNorm2d(channels)
        self.large = Residual(channels, min(max(channels // 2, 8), _MOST_INNER))
        self.register_buffer("floor", torch.tensor(_NO_FLOOR))

    def start_from(self, features: Tensor) -> None:
        """Take the floor of the network's features [N,C,H,W]."""
        self.floor.fill_(0.0 if features.min() >= 0 else _NO_FLOOR)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes, whole numbers around 0, to features."""
        maps = self.local(codes) + self.overall(codes.flatten(1))[:, :, None, None]
        grown = self.up(self.small(maps))
        (top, left), (height, width) = self.offset, self.size
        cropped = grown[:, :, top : top + height, left : left + width]
        return torch.maximum(self.large(torch.relu(self.norm(cropped))), self.floor)


class Residual(nn.Module):
    """x + two 3x3 convolutions of it.

    Source: He et al., CVPR 2016. Without the activation behind the sum: features may be negative, as in MobileNets.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,width,h,w] to the same shape."""
        changed: Tensor = maps + self.body(maps)
        return changed
