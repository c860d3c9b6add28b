"""The decoder: codes back to features, on the server, where compute is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .geometry import Geometry
    from .start import LinearWaist

_WIDTH = 128
#: channels inside the block at full size, at most: its purpose is smoothing
_MOST_INNER = 64
_NO_FLOOR = -1e30


class Decoder(nn.Module):
    """Codes [B,c,h,w] -> features [B,C,H,W]: a linear map, and a network beside it that sees all positions at once.

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
        self.linear = _grown(geometry.channels, channels, geometry.stride)
        self.up = _grown(width, channels, geometry.stride)
        change = _change(channels, min(max(channels // 2, 8), _MOST_INNER))
        nn.init.zeros_(change[-1].get_parameter("weight"))  # beside the linear map: nothing at first
        self.large = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), *change)
        self.register_buffer("floor", torch.tensor(_NO_FLOOR))

    @torch.no_grad()
    def start_from(self, features: Tensor, linear: LinearWaist, spread: float) -> None:
        """Start at a linear map for codes of that deviation; take the floor of the network's features [N,C,H,W]."""
        self.floor.fill_(0.0 if features.min() >= 0 else _NO_FLOOR)
        self.linear.get_parameter("0.weight").copy_((linear.up / spread)[:, :, None, None])
        self.linear.get_parameter("0.bias").copy_(linear.mean)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes, whole numbers around 0, to features."""
        maps = self.local(codes) + self.overall(codes.flatten(1))[:, :, None, None]
        beside = self.large(self._cropped(self.up(self.small(maps))))
        return torch.maximum(self._cropped(self.linear(codes)) + beside, self.floor)

    def _cropped(self, grown: Tensor) -> Tensor:
        (top, left), (height, width) = self.offset, self.size
        return grown[:, :, top : top + height, left : left + width]


def _grown(inner: int, channels: int, stride: int) -> nn.Sequential:
    """Every position becomes stride x stride of them."""
    return nn.Sequential(nn.Conv2d(inner, channels * stride**2, 1), nn.PixelShuffle(stride))


def _change(width: int, inner: int) -> list[nn.Module]:
    """Two 3x3 convolutions, the first to `inner` channels and the second back."""
    return [
        nn.Conv2d(width, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Conv2d(inner, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    ]


class Residual(nn.Module):
    """x + two 3x3 convolutions of it.

    Source: He et al., CVPR 2016. Without the activation behind the sum: features may be negative, as in MobileNets.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_change(width, inner))

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,width,h,w] to the same shape."""
        changed: Tensor = maps + self.body(maps)
        return changed
