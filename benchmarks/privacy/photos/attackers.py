"""Attackers' networks: a residual decoder with attention over positions, and classifiers of the message.

Notation: message or features [B,c,h,w] in, photo [B,3,32,32] in the networks' units or scores [B,K] out.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from waist import Residual


class Attention(nn.Module):
    """Every position looks at every other one."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.mix = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.heads = heads

    def forward(self, maps: Tensor) -> Tensor:
        b, c, h, w = maps.shape
        q, k, v = self.mix(self.norm(maps)).reshape(b, 3, self.heads, c // self.heads, h * w).transpose(3, 4).unbind(1)
        # 64 positions: plain products are several times faster on a CPU than the fused kernel's backward pass
        seen = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), -1) @ v
        return maps + self.out(seen.transpose(2, 3).reshape(b, c, h, w))


class PhotoDecoder(nn.Module):
    """Message -> photo: to 8 x 8 positions, residual blocks and attention there, then 16 x 16, pixels shuffled out."""

    def __init__(self, shape: tuple[int, int, int], width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        c, h, w = shape
        self.reduce = nn.Identity()
        if h > 8:  # large maps: folded, so that nothing is lost on the way to 8 x 8
            self.reduce = nn.PixelUnshuffle(h // 8)
            c, h, w = c * (h // 8) ** 2, 8, 8
        self.norm = nn.BatchNorm2d(c)
        self.local = nn.Conv2d(c, width, 3, padding=1)
        self.grow = nn.Upsample(scale_factor=8 // h) if h < 8 else nn.Identity()
        # small messages: also through a linear layer to every position
        self.overall = nn.Linear(c * h * w, width * 64) if c * h * w <= 2048 else None
        self.width = width
        body: list[nn.Module] = []
        for number in range(blocks):
            body += [Residual(width, width)] + ([Attention(width)] if number == 0 else [])
        half = width // 2
        self.body = nn.Sequential(
            *body,
            nn.Conv2d(width, half * 4, 1),
            nn.PixelShuffle(2),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            Residual(half, half),
        )
        self.out = nn.Conv2d(half, 12, 3, padding=1)

    def forward(self, message: Tensor) -> Tensor:
        small = self.norm(self.reduce(message))
        maps = self.grow(self.local(small))
        if self.overall is not None:
            maps = maps + self.overall(small.flatten(1)).unflatten(1, (self.width, 8, 8))
        return functional.pixel_shuffle(self.out(self.body(torch.relu(maps))), 2)


class Classifier(nn.Module):
    """Message -> scores: convolutional where there are positions, with a linear path beside it."""

    def __init__(self, shape: tuple[int, int, int], out: int, width: int = 128) -> None:
        super().__init__()
        c, h, _ = shape
        self.norm = nn.BatchNorm2d(c)
        self.maps = nn.Sequential(
            nn.Conv2d(c, width, 3, 1 if h <= 8 else 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
            Residual(width, width), nn.MaxPool2d(2) if h >= 4 else nn.Identity(), Residual(width, width),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        )  # fmt: skip
        size = math.prod(shape)
        self.flat = (
            nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(size, 2 * width), nn.ReLU())
            if size <= 4096
            else None
        )
        self.out = nn.Sequential(nn.Dropout(0.2), nn.Linear(width * (3 if self.flat is not None else 1), out))

    def forward(self, message: Tensor) -> Tensor:
        small = self.norm(message)
        seen = self.maps(small)
        return self.out(seen if self.flat is None else torch.cat([seen, self.flat(small)], 1))


def _blur(size: int) -> Tensor:
    """Matrix [size - 10, size] that convolves a line with the window."""
    line = torch.exp(-0.5 * ((torch.arange(11).float() - 5) / 1.5).square())
    rows = torch.zeros(size - 10, size)
    for k in range(size - 10):
        rows[k, k : k + 11] = line / line.sum()
    return rows


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity [B] of photos [B,3,H,W] in [0, 1]: Gaussian window of 11, deviation 1.5, valid positions.

    Source: Wang et al., IEEE TIP 2004.
    """
    both = torch.stack([first, second, first * first, second * second, first * second]).contiguous()
    a, b, aa, bb, ab = (_blur(first.shape[2]) @ both @ _blur(first.shape[3]).T).unbind(0)
    top = (2 * a * b + 0.01**2) * (2 * (ab - a * b) + 0.03**2)
    return (top / ((a * a + b * b + 0.01**2) * (aa - a * a + bb - b * b + 0.03**2))).mean((1, 2, 3))
