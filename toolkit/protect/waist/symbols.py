"""Rounding to codes, and what each code costs, while the encoder learns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .geometry import LEVEL


class Symbols(nn.Module):
    """Noisy z [B,c,h,w] -> codes -LEVEL..LEVEL, with learned frequencies per channel.

    Rounding passes gradients through unchanged. Between two codes the bits are interpolated, so that their
    gradient pulls towards the more frequent neighbour.

    Source: the rate term of learned compression, Balle et al., ICLR 2017. [ours] on a coarse grid with a frequency
    per code instead of a continuous density.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        start = -0.5 * (torch.arange(-LEVEL, LEVEL + 1).float() / (LEVEL / 2)).square()
        self.frequency = nn.Parameter(start.repeat(channels, 1))

    def forward(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Map noisy z to codes, whole numbers, and to bits of each message [B]."""
        # outside the range the gradient still passes: clamped ones could never come back
        inside = noisy + (noisy.clamp(-LEVEL, LEVEL) - noisy).detach()
        rounded = inside + (inside.round() - inside).detach()
        cost = -torch.log_softmax(self.frequency, 1) / math.log(2.0)  # [c,codes]
        low = inside.detach().floor().clamp(-LEVEL, LEVEL - 1)
        part = inside - low
        index = (low + LEVEL).long()
        # cost of the lower and of the upper neighbour, looked up per channel
        offset = torch.arange(len(cost), device=cost.device)[None, :, None, None] * cost.shape[1]
        flat = cost.flatten()
        first, second = flat[index + offset], flat[index + offset + 1]
        return rounded, (first + part * (second - first)).flatten(1).sum(1)


class Rounding(nn.Module):
    """What the tail does first: whatever arrives becomes codes, so that every encoding of the wire means the same."""

    def forward(self, smashed: Tensor) -> Tensor:
        """Map values [B,c,h,w] to whole numbers -LEVEL..LEVEL."""
        return torch.round(smashed).clamp(-LEVEL, LEVEL)
