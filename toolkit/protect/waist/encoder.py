"""The encoder: two convolutions, all that the phone computes beyond its own head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from .geometry import Geometry
    from .start import LinearWaist

#: standard deviation of the waist's values, in units of one code, where training starts [ours]
SPREAD = 1.2
#: of what lies beside a linear start, relative to a random one
_BESIDE = 0.1


class TrainingEncoder(nn.Module):
    """Features [B,C,H,W] -> z [B,c,h,w] with batch statistics; `folded` gives what the phone runs."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        first, second = _convolutions(geometry, bias=False)
        self.gather = first
        self.norm = nn.BatchNorm2d(geometry.inner)
        self.project = second
        self.scale = nn.BatchNorm2d(geometry.channels)
        nn.init.constant_(self.scale.weight, SPREAD)

    def forward(self, features: Tensor) -> Tensor:
        """Map features to z."""
        z: Tensor = self.scale(self.project(self.norm(self.gather(features)).relu()))
        return z

    @torch.no_grad()
    def start_from(self, linear: LinearWaist) -> None:
        """Start at a linear map: each of its directions twice, with either sign, since relu(x) - relu(-x) = x.

        Directions for which the first convolution is too narrow, and its other channels, stay as they were drawn.
        """
        count = min(self.project.out_channels, self.gather.out_channels // 2)
        down = linear.down[:count].view(count, *self.gather.weight.shape[1:])
        self.gather.weight[:count], self.gather.weight[count : 2 * count] = down, -down
        self.project.weight[:, 2 * count :].mul_(_BESIDE)
        self.project.weight[:, : 2 * count] = 0.0
        for number in range(count):
            self.project.weight[number, [number, count + number]] = torch.tensor([1.0, -1.0])[:, None, None]

    @torch.no_grad()
    def measure(self, features: Tensor) -> None:
        """Take the normalisations' statistics from features [N,C,H,W]."""
        norms = [self.norm, self.scale]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        self.train()
        self(features)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def folded(self) -> nn.Sequential:
        """Return the same function of two convolutions with bias; its module is in eval mode."""
        self.eval()
        return nn.Sequential(
            fuse_conv_bn_eval(self.gather, self.norm), nn.ReLU(), fuse_conv_bn_eval(self.project, self.scale)
        ).eval()


def plain_encoder(geometry: Geometry) -> nn.Sequential:
    """Build what `folded` returns, to load weights into."""
    first, second = _convolutions(geometry, bias=True)
    return nn.Sequential(first, nn.ReLU(), second).eval()


def _convolutions(geometry: Geometry, *, bias: bool) -> tuple[nn.Conv2d, nn.Conv2d]:
    stride = geometry.stride
    return (
        nn.Conv2d(geometry.features[0], geometry.inner, stride, stride, geometry.padding, bias=bias),
        nn.Conv2d(geometry.inner, geometry.channels, 1, bias=bias),
    )
