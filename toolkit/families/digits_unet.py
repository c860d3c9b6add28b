"""A U-Net small enough to train on the digits in a minute of one CPU core: which pixels are ink.

Source: Ronneberger et al., "U-Net", MICCAI 2015, with two levels.
"""

import torch
from torch import Tensor, nn


def _twice(inner: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
    )  # fmt: skip


class DigitsUnet(nn.Module):
    """28 -> 14 -> 7 -> 14 -> 28, with skips at 28 and 14."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.down1 = _twice(channels, 8)
        self.down2 = _twice(8, 16)
        self.middle = _twice(16, 32)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.join2 = _twice(32, 16)
        self.up1 = nn.ConvTranspose2d(16, 8, 2, 2)
        self.join1 = _twice(16, 8)
        self.last = nn.Conv2d(8, classes, 1)
        self.shrink = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> Tensor:
        """[B,channels,28,28] -> logits [B,classes,28,28]."""
        first = self.down1(image)
        second = self.down2(self.shrink(first))
        middle = self.middle(self.shrink(second))
        joined = self.join2(torch.cat([self.up2(middle), second], 1))
        joined = self.join1(torch.cat([self.up1(joined), first], 1))
        logits: Tensor = self.last(joined)
        return logits


def build(channels: int, classes: int) -> nn.Module:
    """Images [B,channels,28,28] -> logits [B,classes,28,28]; in the middle three tensors cross (--crossing 3)."""
    return DigitsUnet(channels, classes)
