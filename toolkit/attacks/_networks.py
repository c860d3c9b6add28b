"""What attackers' networks are made of: crossing tensors of any shape come in, a picture or class scores go out.

Notation: B photos; crossing tensors C x h x w; the working grid H x W, a fraction of the photo's size; width channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

#: a crossing tensor of at most this many values also passes a linear layer: what it holds may be anywhere
_DENSE = 4096
_RANK = 256
#: of a channel's deviation: the least that a feature is divided by
_QUIET = 0.003
_EXTREME = 20.0
#: positions that attention compares at most, each with each
_POSITIONS = 256
Shape = tuple[int, int, int]


class Standardise(nn.Module):
    """(x - mean) / deviation per feature and position, measured once: noise may make features of any size.

    Per position, because a protection may bury most positions in noise and let a few through, which must still be seen.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        mean, deviation = self._measured(features)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def measure(self, features: Tensor) -> None:
        """Measure once more, by features [B,C,h,w] of another kind: looks that were averaged have less noise."""
        mean, deviation = self._measured(features)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def _measured(self, features: Tensor) -> tuple[Tensor, Tensor]:
        spread = features.var(0, keepdim=True, unbiased=False)
        overall = spread.mean((2, 3), keepdim=True).sqrt()
        # the floor is for features that happened to be constant when they were measured
        return features.mean(0, keepdim=True), spread.sqrt() + _QUIET * overall + _QUIET**2 * overall.mean() + 1e-8

    def forward(self, features: Tensor) -> Tensor:
        """Map [B,C,h,w] -> [B,C,h,w]."""
        scaled: Tensor = (features - self.mean) / self.deviation
        return scaled.clamp(-_EXTREME, _EXTREME)


class Lift(nn.Module):
    """Bring one crossing tensor [B,C,h,w] to the working grid [B,width,H,W], keeping what each position says."""

    def __init__(self, features: Tensor, grid: tuple[int, int], width: int, *, dense: bool = True) -> None:
        super().__init__()
        channels, height, across = features.shape[1:]
        self.grid = grid
        self.standardise = Standardise(features)
        self.fold = max(height // grid[0], across // grid[1], 1)
        grow = max(min(grid[0] // height, grid[1] // across), 1)
        self.near = nn.Sequential(nn.Conv2d(channels * self.fold**2, width * grow**2, 1), nn.PixelShuffle(grow))
        values = channels * height * across
        self.far = (
            nn.Sequential(
                nn.Flatten(), nn.Linear(values, _RANK), nn.GELU(), nn.Linear(_RANK, width * math.prod(grid)),
                nn.Unflatten(1, (width, *grid)),
            )
            if dense and values <= _DENSE
            else None
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """Map [B,C,h,w] -> [B,width,H,W]."""
        features = self.standardise(features)
        maps = features
        if self.fold > 1:
            height, across = maps.shape[2:]
            maps = functional.pad(maps, (0, -across % self.fold, 0, -height % self.fold))
            maps = functional.pixel_unshuffle(maps, self.fold)
        maps = self.near(maps)
        if maps.shape[2:] != self.grid:
            maps = functional.interpolate(maps, self.grid, mode="nearest")
        return maps if self.far is None else maps + self.far(features)


class Residual(nn.Module):
    """x + convolutions of x. He et al., CVPR 2016, with the normalisation in front (ECCV 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1), nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,width,H,W] -> [B,width,H,W]."""
        result: Tensor = maps + self.body(maps)
        return result


class Attention(nn.Module):
    """x + what each position takes from all others, Vaswani et al. 2017, with a learned embedding of the position.

    A protection may move or mix positions: convolutions alone would not find what went far away.
    """

    def __init__(self, width: int, grid: tuple[int, int], heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.pool = max(math.ceil(math.sqrt(math.prod(grid) / _POSITIONS)), 1)
        small = [math.ceil(side / self.pool) for side in grid]
        self.place = nn.Parameter(0.02 * torch.randn(1, width, *small))
        self.norm = nn.GroupNorm(1, width)
        self.ask = nn.Conv2d(width, 3 * width, 1)
        self.answer = nn.Conv2d(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B,width,H,W] -> [B,width,H,W]."""
        small = functional.avg_pool2d(maps, self.pool, ceil_mode=True) if self.pool > 1 else maps
        batch, width, height, across = small.shape
        asked = self.ask(self.norm(small + self.place)).view(batch, 3, self.heads, width // self.heads, height * across)
        query, key, value = asked.transpose(3, 4).unbind(1)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        told: Tensor = self.answer(mixed.transpose(2, 3).reshape(batch, width, height, across))
        if self.pool > 1:
            told = functional.interpolate(told, maps.shape[2:], mode="bilinear", align_corners=False)
        return maps + told


class Entrance(nn.Module):
    """All crossing tensors of a message, brought to the working grid and added up; and the other looks beside it.

    With `per_look`, tensors come as [B,n,C,h,w]: the first look is what the network is after, the mean over the others
    passes a layer that starts at zero, so that a network for many looks starts as the network for one.
    """

    def __init__(
        self, examples: Sequence[Tensor], grid: tuple[int, int], width: int, *, dense: bool, per_look: bool
    ) -> None:
        super().__init__()
        self.lifts = nn.ModuleList(Lift(one, grid, width, dense=dense) for one in examples)
        self.others = nn.Conv2d(2 * width, width, 1)
        nn.init.zeros_(self.others.weight)
        nn.init.zeros_(self.others.bias)  # type: ignore[arg-type]
        self.per_look = per_look

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        """Map crossing tensors, [B,C,h,w] or [B,n,C,h,w] each, -> [B,width,H,W]."""
        if not self.per_look:
            return self._sum(seen)
        looks = seen[0].shape[1]
        every = self._sum([one.flatten(0, 1) for one in seen]).unflatten(0, (-1, looks))
        own: Tensor = every[:, 0]
        if looks == 1:
            return own
        told: Tensor = own + self.others(torch.cat([own, every[:, 1:].mean(1)], 1))
        return told

    def _sum(self, seen: Sequence[Tensor]) -> Tensor:
        return torch.stack([lift(one) for lift, one in zip(self.lifts, seen, strict=True)]).sum(0)


class Decoder(nn.Module):
    """Crossing tensors -> the photo [B,channels,H,W], around the attacker's mean photo.

    Residual blocks and attention to all positions at a quarter of the photo's size (less for large photos), then a
    stage at twice that, which also sees early features again, then pixels shuffled out.
    """

    centre: Tensor

    def __init__(self, examples: Sequence[Tensor], centre: Tensor, width: int, *, per_look: bool = False) -> None:
        """Shape the network.

        Args:
            examples: a batch of each crossing tensor [B,C,h,w].
            centre: the mean photo [1,channels,H,W].
            width: channels at the working grid; a multiple of 16.
            per_look: tensors come as [B,n,C,h,w].
        """
        super().__init__()
        self.register_buffer("centre", centre)
        channels, *size = centre.shape[1:]
        fold = _fold(max(size))
        grid = (math.ceil(size[0] / fold), math.ceil(size[1] / fold))
        fine = (2 * grid[0], 2 * grid[1])
        self.entrance = Entrance(examples, grid, width, dense=True, per_look=per_look)
        self.body = nn.Sequential(
            Residual(width), Attention(width, grid), Residual(width), Residual(width), Attention(width, grid),
            Residual(width), nn.Conv2d(width, 2 * width, 1), nn.PixelShuffle(2),
        )  # fmt: skip
        early = [index for index, one in enumerate(examples) if min(one.shape[2] / grid[0], one.shape[3] / grid[1]) > 1]
        self.early = early
        self.skips = Entrance([examples[index] for index in early], fine, width // 2, dense=False, per_look=per_look)
        self.out = nn.Sequential(
            Residual(width // 2), nn.Conv2d(width // 2, channels * (fold // 2) ** 2, 3, padding=1),
            nn.PixelShuffle(fold // 2),
        )  # fmt: skip

    def look_at_all(self) -> Decoder:
        """Read [B,n,C,h,w] from now on."""
        self.entrance.per_look = self.skips.per_look = True
        return self

    def measure(self, examples: Sequence[Tensor]) -> Decoder:
        """Standardise by these from now on: a batch of each crossing tensor [B,C,h,w]."""
        early = [examples[index] for index in self.early]
        for lift, one in zip([*self.entrance.lifts, *self.skips.lifts], [*examples, *early], strict=True):
            cast(Lift, lift).standardise.measure(one)
        return self

    def forward(self, *seen: Tensor) -> Tensor:
        """Map crossing tensors -> [B,channels,H,W]."""
        maps = self.body(self.entrance(seen))
        if self.early:
            maps = maps + self.skips([seen[index] for index in self.early])
        height, across = self.centre.shape[2:]
        rebuilt: Tensor = self.out(maps)[:, :, :height, :across].float() + self.centre
        return rebuilt


class SmallClassifier(nn.Module):
    """Crossing tensors -> scores [B,classes]: two convolutions with pooling, two linear layers."""

    def __init__(self, examples: Sequence[Tensor], classes: int, width: int) -> None:
        super().__init__()
        grid = _common_grid(examples, 16)
        self.entrance = Entrance(examples, grid, width, dense=False, per_look=False)
        height, across = grid
        layers: list[nn.Module] = [nn.Dropout(0.1)]
        for _ in range(2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
            if height * across > 16:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
                height, across = -(-height // 2), -(-across // 2)
        layers += [nn.Flatten(), nn.Linear(width * height * across, 2 * width), nn.ReLU(), nn.Dropout(0.2)]
        self.body = nn.Sequential(*layers, nn.Linear(2 * width, classes))

    def forward(self, *seen: Tensor) -> Tensor:
        """Map crossing tensors -> [B,classes]."""
        scores: Tensor = self.body(self.entrance(seen))
        return scores


class LargeClassifier(nn.Module):
    """Crossing tensors -> scores [B,classes]: residual blocks with attention, read once pooled and once flattened."""

    def __init__(self, examples: Sequence[Tensor], classes: int, width: int, *, per_look: bool = False) -> None:
        super().__init__()
        grid = _common_grid(examples, 8)
        self.entrance = Entrance(examples, grid, width, dense=True, per_look=per_look)
        self.body = nn.Sequential(
            nn.Dropout(0.1), Residual(width), Attention(width, grid), Residual(width), Attention(width, grid),
            Residual(width), nn.GroupNorm(8, width), nn.GELU(),
        )  # fmt: skip
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(width, classes))
        self.flat = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(width * math.prod(grid), classes))

    def forward(self, *seen: Tensor) -> Tensor:
        """Map crossing tensors -> [B,classes]."""
        maps = self.body(self.entrance(seen))
        scores: Tensor = self.pooled(maps) + self.flat(maps)
        return scores


def _common_grid(examples: Sequence[Tensor], most: int) -> tuple[int, int]:
    """The largest tensor's positions, but no side over `most`."""
    height = max(one.shape[2] for one in examples)
    across = max(one.shape[3] for one in examples)
    fold = max(math.ceil(max(height, across) / most), 1)
    return math.ceil(height / fold), math.ceil(across / fold)


def _fold(side: int) -> int:
    """Pixels per position of the working grid, along one side: 4, 8 or 16."""
    return 4 if side <= 64 else 8 if side <= 256 else 16
