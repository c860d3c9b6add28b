"""The encoder: one or two convolutions, and where wanted a deep branch: what the phone computes beyond its head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .branch import BESIDE, Branch, TrainingBranch, plain_branch
from .geometry import Geometry

if TYPE_CHECKING:
    from .start import LinearWaist

#: standard deviation of the waist's values, in units of one code, where training starts [ours]
SPREAD = 1.2


class Deepened(nn.Module):
    """Features [B,C,H,W] -> z [B,c,h,w]: convolutions and a branch beside them, as the phone runs them."""

    def __init__(self, flat: nn.Sequential, branch: Branch) -> None:
        super().__init__()
        self.flat, self.branch = flat, branch

    def forward(self, features: Tensor) -> Tensor:
        """Map features to z."""
        z: Tensor = self.flat(features) + self.branch(features)
        return z


class TrainingEncoder(nn.Module):
    """Features [B,C,H,W] -> z [B,c,h,w] with batch statistics; `folded` gives what the phone runs."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.gather, *further = _convolutions(geometry, bias=False)
        self.norm = nn.BatchNorm2d(geometry.inner) if further else None
        self.project = further[0] if further else None
        self.scale = nn.BatchNorm2d(geometry.channels)
        nn.init.constant_(self.scale.weight, SPREAD)
        self.branch = TrainingBranch(geometry) if geometry.deep else None

    def forward(self, features: Tensor) -> Tensor:
        """Map features to z."""
        values = self.gather(features)
        if self.norm is not None and self.project is not None:
            values = self.project(self.norm(values).relu())
        z: Tensor = self.scale(values if self.branch is None else values + self.branch(features))
        return z

    @torch.no_grad()
    def start_from(self, linear: LinearWaist) -> None:
        """Start at a linear map, of two convolutions each direction twice, with either sign: relu(x) - relu(-x) = x.

        Directions for which the first of two is too narrow, and its other channels, stay as they were drawn.
        """
        if self.project is None:
            self.gather.weight.copy_(linear.down.view_as(self.gather.weight))
            return
        count = min(self.project.out_channels, self.gather.out_channels // 2)
        down = linear.down[:count].view(count, *self.gather.weight.shape[1:])
        self.gather.weight[:count], self.gather.weight[count : 2 * count] = down, -down
        self.project.weight[:, 2 * count :].mul_(BESIDE)
        self.project.weight[:, : 2 * count] = 0.0
        for number in range(count):
            self.project.weight[number, [number, count + number]] = torch.tensor([1.0, -1.0])[:, None, None]

    @torch.no_grad()
    def measure(self, features: Tensor) -> None:
        """Take the normalisations' statistics from features [N,C,H,W]."""
        norms = [part for part in self.modules() if isinstance(part, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        self.train()
        self(features)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def folded(self) -> nn.Module:
        """Return the same function of convolutions with bias; its module is in eval mode."""
        self.eval()
        if self.norm is None or self.project is None:
            flat = nn.Sequential(fuse_conv_bn_eval(self.gather, self.scale))
        else:
            gather, project = fuse_conv_bn_eval(self.gather, self.norm), fuse_conv_bn_eval(self.project, self.scale)
            flat = nn.Sequential(gather, nn.ReLU(), project)
        if self.branch is None:
            return flat.eval()
        return Deepened(flat, self.branch.folded(self.scale)).eval()


def plain_encoder(geometry: Geometry) -> nn.Module:
    """Build what `folded` returns, to load weights into."""
    first, *second = _convolutions(geometry, bias=True)
    flat = nn.Sequential(first, *((nn.ReLU(), *second) if second else ()))
    return Deepened(flat, plain_branch(geometry)).eval() if geometry.deep else flat.eval()


def geometry_of(features: tuple[int, int, int], channels: int, state: Mapping[str, Tensor]) -> Geometry:
    """Read the geometry from a folded encoder's weights."""
    prefix = "flat." if "flat.0.weight" in state else ""
    first, _, stride, _ = state[prefix + "0.weight"].shape
    inner = first if prefix + "2.weight" in state else 0
    deep = len(state["branch.first.weight"]) if prefix else 0
    return Geometry(features, channels, stride, inner, deep, 2 if "branch.third.weight" in state else 1)


def _convolutions(geometry: Geometry, *, bias: bool) -> list[nn.Conv2d]:
    """One, or two with a ReLU between them."""
    stride, wide = geometry.stride, geometry.inner or geometry.channels
    first = nn.Conv2d(geometry.features[0], wide, stride, stride, geometry.padding, bias=bias)
    return [first, nn.Conv2d(wide, geometry.channels, 1, bias=bias)] if geometry.inner else [first]
