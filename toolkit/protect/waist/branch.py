"""The encoder's deep branch: what a tail had learned behind the cut, in small, on the phone.

A narrow waist asks the phone for nearly the answer. At an early or middle cut two convolutions of a patch cannot find
it; a small network that ends in the largest value of each channel can (benchmarks/privacy/photos/README.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from .geometry import Geometry

#: of what lies beside a linear start, relative to a random one
BESIDE = 0.1
#: the convolutions of the first stage, and of the second
_NAMES = ("first", "second", "third", "fourth")


class Branch(nn.Module):
    """Features [B,C,H,W] -> [B,c,h,w]: stages, maxima of patches, a 1x1; a stage is a strided 3x3 and a residual 3x3.

    Args:
        geometry: of the waist; its `deep` channels are this branch's, and twice as many in a second stage.
        convolutions: two of each stage.
    """

    def __init__(self, geometry: Geometry, convolutions: Iterable[nn.Module]) -> None:
        super().__init__()
        self._stages = geometry.stages
        for name, convolution in zip(_NAMES, convolutions, strict=False):
            self.add_module(name, convolution)
        window = geometry.window
        self.pool = nn.MaxPool2d(window, window, ceil_mode=True) if window > 1 else nn.Identity()
        self.project = nn.Conv2d(geometry.stages * geometry.deep, geometry.channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Map features to what is added to the waist's values."""
        maps = features
        for stage in range(self._stages):
            down, same = (getattr(self, name) for name in _NAMES[2 * stage : 2 * stage + 2])
            maps = down(maps).relu()
            maps = (maps + same(maps)).relu()
        beside: Tensor = self.project(self.pool(maps))
        return beside


class Normalised(nn.Module):
    """A convolution and its normalisation by batch statistics."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, nn.BatchNorm2d(conv.out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Apply both."""
        normal: Tensor = self.norm(self.conv(maps))
        return normal

    def folded(self) -> nn.Conv2d:
        """Return one convolution that does the same; this module is in eval mode."""
        return fuse_conv_bn_eval(self.conv, self.norm)


class TrainingBranch(Branch):
    """The branch with batch statistics; its share of the waist's values is small at first."""

    def __init__(self, geometry: Geometry) -> None:
        made = [Normalised(conv) for conv in _convolutions(geometry, bias=False)]
        super().__init__(geometry, made)
        self.geometry, self.normalised = geometry, made
        with torch.no_grad():
            self.project.weight.mul_(BESIDE)

    @torch.no_grad()
    def folded(self, scale: nn.BatchNorm2d) -> Branch:
        """Return the same function, in eval mode, with the scale behind the sum folded in too."""
        plain = Branch(self.geometry, [part.folded() for part in self.normalised])
        # what the scale adds is in the convolutions beside this branch
        plain.project.weight.copy_(fuse_conv_bn_eval(self.project, scale).weight)
        return plain.eval()


def plain_branch(geometry: Geometry) -> Branch:
    """Build what `folded` returns, to load weights into."""
    return Branch(geometry, _convolutions(geometry, bias=True)).eval()


def _convolutions(geometry: Geometry, *, bias: bool) -> list[nn.Conv2d]:
    made, inner, stride = [], geometry.features[0], geometry.deep_stride
    for stage in range(geometry.stages):
        width = (stage + 1) * geometry.deep
        made += [nn.Conv2d(inner, width, 3, stride, 1, bias=bias), nn.Conv2d(width, width, 3, 1, 1, bias=bias)]
        inner, stride = width, 2
    return made
