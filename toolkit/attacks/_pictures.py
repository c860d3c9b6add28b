"""What decoders share: their loss, and one trained decoder that other attacks on the same victim start from."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from ._fitting import applied, fit, split_of
from ._networks import Decoder
from ._observing import examples, reader
from .base import Knowledge, Training

#: parts of the loss beside the absolute error [ours]
_STRUCTURE = 0.3
_FEATURES = 0.1
#: share of a batch whose features are compared: it costs a pass through the head and back
_COMPARED = 4
_WINDOW = 7
#: photos that are copied at a time
_AT_ONCE = 1024
_SHARED = "decoder"


class PictureLoss:
    """L1 + structure (1 - SSIM in a flat window) + distance in the head's own feature space.

    Source: Zhao et al., "Loss functions for image restoration with neural networks", IEEE TCI 2017, for the first
    two; feature matching as in FIA-Flow (CVPR 2026), with the head, which everybody has who has the app.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._images = knowledge.images
        self._head = knowledge.head
        self._device = knowledge.device
        low, high = knowledge.images.amin((0, 2, 3), keepdim=True), knowledge.images.amax((0, 2, 3), keepdim=True)
        self._low, self._span = low, (high - low).clamp(min=1e-6)
        self._scales: tuple[float, ...] | None = None

    def __call__(self, rebuilt: Tensor, index: Tensor) -> Tensor:
        """Loss of reconstructions [B,channels,H,W] of the attacker's photos `index`."""
        photos = self._images[index].to(self._device)
        mine, theirs = self.unit(rebuilt), self.unit(photos)
        loss = (mine - theirs).abs().mean() + _STRUCTURE * (1.0 - structure(mine, theirs).mean())
        return loss + _FEATURES * self._distance(rebuilt, photos) if self._head is not None else loss

    def unit(self, images: Tensor) -> Tensor:
        """Preprocessed units -> about [0, 1]."""
        scaled: Tensor = (images - self._low.to(images.device)) / self._span.to(images.device)
        return scaled

    def _distance(self, rebuilt: Tensor, photos: Tensor) -> Tensor:
        if self._head is None:
            raise ValueError("no head, no features")
        count = max(len(photos) // _COMPARED, 1)
        with torch.no_grad():
            wanted = self._head(photos[:count], ())
        if self._scales is None:
            self._scales = tuple(1.0 / max((one - one.mean(0)).abs().mean().item(), 1e-6) for one in wanted)
        made = self._head(rebuilt[:count], ())
        parts = [
            scale * (one - other).abs().mean() for one, other, scale in zip(made, wanted, self._scales, strict=True)
        ]
        return torch.stack(parts).mean()


def structure(mine: Tensor, theirs: Tensor) -> Tensor:
    """SSIM [B] of pictures [B,channels,H,W] in [0, 1] with a flat window: differentiable and cheap."""
    window = min(_WINDOW, *mine.shape[2:])

    def mean(maps: Tensor) -> Tensor:
        """Of every window, by running sums: a third of the time that average pooling takes on a CPU."""
        for side in (2, 3):
            sums = maps.cumsum(side)
            first = sums.narrow(side, window - 1, 1)
            others = sums.shape[side] - window
            later = sums.narrow(side, window, others) - sums.narrow(side, 0, others)
            maps = torch.cat([first, later], side)
        means: Tensor = maps / window**2
        return means

    first, second = mean(mine), mean(theirs)
    variances = mean(mine * mine) - first * first, mean(theirs * theirs) - second * second
    covariance = mean(mine * theirs) - first * second
    top = (2 * first * second + 1e-4) * (2 * covariance + 9e-4)
    below = (first * first + second * second + 1e-4) * (variances[0] + variances[1] + 9e-4)
    return (top / below).flatten(1).mean(1)


def mean_photo(knowledge: Knowledge) -> Tensor:
    """[1,channels,H,W] of the photos that the attacker learns from."""
    learn, _ = split_of(knowledge)
    # piece by piece: the photos may fill most of the memory, or lie in a file
    total = sum(knowledge.images[rows].sum(0, keepdim=True) for rows in learn.split(_AT_ONCE))
    return torch.as_tensor(total / len(learn))


def shared_decoder(knowledge: Knowledge) -> Decoder:
    """A residual decoder for one look at this victim: the first attack that needs it trains it, others get a copy."""
    found = _shared(knowledge)[0]
    return copy.deepcopy(found)


def shared_training(knowledge: Knowledge) -> Training:
    """How the shared decoder's training went."""
    return _shared(knowledge)[1]


def _shared(knowledge: Knowledge) -> tuple[Decoder, Training]:
    known = knowledge.shared.get(_SHARED)
    if known is not None and isinstance(known[0], Decoder):
        return known[0], known[1]
    one = replace(knowledge, observe=knowledge.single, log=[])
    read = reader(one)

    def arguments(index: Tensor) -> tuple[Tensor, ...]:
        return read(one.observe(index))

    shapes, centre = examples(one, arguments), mean_photo(one)
    found = fit(
        one,
        lambda: Decoder(shapes, centre, one.budget.width),
        PictureLoss(one),
        text="residual decoder",
        arguments=arguments,
    )
    knowledge.shared[_SHARED] = found, one.log[0]
    return found, one.log[0]


def decode(decoder: nn.Module, inputs: tuple[Tensor, ...], device: torch.device) -> Tensor:
    """Apply a decoder in float32, some photos at a time: [B,channels,H,W] on the host."""
    return applied(decoder, inputs, device, at_once=128)
