"""Decoder with a natural-image prior: align, then refine.

The residual decoder aligns a message with the space of pictures; a flow, which has learned on the attacker's photos
what pictures look like, refines it in a few deterministic steps. Source: FIA-Flow, CVPR 2026 (alignment, then
deterministic inversion flow matching in a pretrained latent space); Liu et al., "Flow Straight and Fast", ICLR 2023.
[ours] a small flow in pixels: it first learns to undo blur and noise on photos, then what the decoder leaves undone.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._fitting import fit
from ._networks import Attention, Residual
from ._observing import reader
from ._pictures import PictureLoss, decode, shared_decoder
from .base import Attack, Knowledge, Messages

_STEPS = 4


class PriorDecoder(Attack):
    """Rebuild the photo with what is known of photos in general."""

    yields: ClassVar = frozenset({"images"})
    builds_on: ClassVar = "residual_decoder"
    work: ClassVar = {"decoder": 0.9}

    def __init__(self) -> None:
        self._decoder: nn.Module | None = None
        self._flow: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train the prior on photos, then on the shared decoder's reconstructions of the same photos."""
        self._knowledge, self._read = knowledge, reader(knowledge)
        self._decoder = shared_decoder(knowledge)
        loss, generator = PictureLoss(knowledge), torch.Generator().manual_seed(knowledge.seed + 5)
        channels, width = knowledge.images.shape[1], knowledge.budget.width
        spread = knowledge.images.std().item()

        def degraded(index: Tensor) -> tuple[Tensor, ...]:
            photos = knowledge.images[index]
            blurred = _blurred(photos, int(torch.randint(1, 4, (), generator=generator)))
            noisy = blurred + 0.3 * spread * torch.randn(photos.shape, generator=generator)
            return _between(noisy, photos, generator)

        def rebuilt(index: Tensor) -> tuple[Tensor, ...]:
            made = decode(self._decoder, self._read(knowledge.observe(index)), knowledge.device)  # type: ignore[arg-type]
            return _between(made, knowledge.images[index], generator)

        prior = fit(
            knowledge, lambda: _Flow(channels, width, knowledge.images), loss,
            text="prior", arguments=degraded, share=0.5, search=False,
        )  # fmt: skip
        self._flow = fit(
            knowledge, lambda: prior, loss, text="prior, aligned", arguments=rebuilt, share=0.5, search=False
        )

    @torch.no_grad()
    def run(self, messages: Messages) -> Tensor:
        """Decode and refine B photos' messages -> [B,channels,H,W]."""
        if self._decoder is None or self._flow is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        device = self._knowledge.device
        picture = decode(self._decoder, self._read(messages), device)
        for step in range(_STEPS):
            time = torch.full((len(picture), 1, 1, 1), step / _STEPS)
            end = decode(self._flow, (picture, time), device)
            picture = picture + (end - picture) / (_STEPS - step)
        return picture


def _between(start: Tensor, photos: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """A point [B,channels,H,W] on the way from `start` to the photos, and how far along it is [B,1,1,1]."""
    time = torch.rand((len(photos), 1, 1, 1), generator=generator) * (1.0 - 1.0 / _STEPS)
    return (1.0 - time) * start + time * photos, time


def _blurred(photos: Tensor, reach: int) -> Tensor:
    size = 2 * reach + 1
    padded = functional.pad(photos, (reach,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, size, stride=1)


class _Flow(nn.Module):
    """Picture [B,channels,H,W] and time [B,1,1,1] -> where the way ends [B,channels,H,W]."""

    def __init__(self, channels: int, width: int, images: Tensor) -> None:
        super().__init__()
        height, across = images.shape[2:]
        self.fold = 4 if max(height, across) <= 64 else 8
        self.size = (height, across)
        grid = (-(-height // self.fold), -(-across // self.fold))
        self.enter = nn.Conv2d(channels * self.fold**2 + 1, width, 3, padding=1)
        self.body = nn.Sequential(
            Residual(width), Attention(width, grid), Residual(width), Residual(width), Residual(width)
        )
        self.leave = nn.Sequential(nn.Conv2d(width, channels * self.fold**2, 3, padding=1), nn.PixelShuffle(self.fold))

    def forward(self, picture: Tensor, time: Tensor) -> Tensor:
        height, across = self.size
        padded = functional.pad(picture, (0, -across % self.fold, 0, -height % self.fold), mode="replicate")
        folded = functional.pixel_unshuffle(padded, self.fold)
        told = time.expand(-1, 1, *folded.shape[2:])
        change = self.leave(self.body(self.enter(torch.cat([folded, told], 1))))[:, :, :height, :across]
        end: Tensor = picture + change.float()
        return end
