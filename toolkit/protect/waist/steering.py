"""Accuracy and bytes decide how much privacy and rate weigh: one number then means the same everywhere [ours]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

#: validation photos per look, and how much of the running mean a look replaces
LOOK = 250
_FRESH = 0.15
#: the share of the allowed drop that training aims at; the rest is for the search of the strength and for chance
_AIM = 0.6
#: while steps are long, this much more may be lost than at the end
_EARLY = 0.015
#: until this share of the training is done, noise is still being added and accuracies say nothing
_WARM = 0.3
#: change of the weight at one look, in a training that looks this often; fewer looks weigh more, more weigh less:
#: accuracy follows the weight over an epoch or so, and a weight that moves faster swings between all and nothing
_GROWTH, _RATE_GROWTH, _LOOKS = 1.08, 1.05, 100
#: what the weight begins with, and stays at while noise comes in, of a waist of so many symbols at most; of more, a
#: symbol's bits weigh as much as of so many. With 0.1 a message of 192 symbols weighs more than its answer: the bytes
#: of a ResNet's first cut halved while 14 points of accuracy were still missing [ours]
_START, _SYMBOLS = 0.1, 48
#: a weight below it, of so many symbols, hides nothing, and takes long to come back
_LEAST = 1e-3
_LEAST_RATE, _MOST_RATE = 1e-3, 1e3


class Steering(nn.Module):
    """The weights of the loss; a module because its state belongs in checkpoints.

    Args:
        max_drop: of the accuracy, a share of all photos.
        max_bits: of a message on average, or None.
        count: how many validation photos there are.
        looks: how often they will be looked at in all.
        symbols: of a message.
    """

    weight: Tensor
    extra_rate: Tensor
    drop: Tensor
    bits: Tensor
    place: Tensor
    accuracy: Tensor

    def __init__(self, max_drop: float, max_bits: float | None, count: int, looks: int, symbols: int) -> None:
        super().__init__()
        share = min(_SYMBOLS / symbols, 1.0)
        self.max_drop, self.max_bits, self.count = max_drop, max_bits, count
        self.pace, self.least = _LOOKS / max(looks, 1), _LEAST * share
        for name, start in (("weight", _START * share), ("extra_rate", _LEAST_RATE), ("drop", 0.0), ("accuracy", 0.0)):
            self.register_buffer(name, torch.tensor(start))
        self.register_buffer("bits", torch.tensor(float("nan")))
        self.register_buffer("place", torch.tensor(0))

    def look(self, before: Tensor, right: Callable[[Tensor], Tensor], done: float) -> None:
        """Take in the next validation photos.

        Args:
            before: [N] 1 where the unprotected network is right.
            right: indices [n] -> 1 where the protected one is, with noise.
            done: share of the training.
        """
        index = torch.arange(int(self.place), int(self.place) + min(LOOK, self.count)) % self.count
        self.place.fill_((int(self.place) + len(index)) % self.count)
        now = right(index)
        lost = (before[index] - now).mean().item()
        first = self.accuracy.item() == 0.0
        self.drop.lerp_(torch.tensor(lost), 1.0 if first else _FRESH)
        self.accuracy.lerp_(now.mean(), 1.0 if first else _FRESH)
        if done <= _WARM:
            return
        allowed = _AIM * self.max_drop + _EARLY * (1 - done)
        room = 1 - self.drop.item() / allowed
        self.weight.mul_(_GROWTH ** (self.pace * max(-3.0, min(1.0, room)))).clamp_(min=self.least)

    def count_bits(self, bits: float, done: float) -> None:
        """Take in one batch's mean bits a message."""
        self.bits.fill_(bits if self.bits.isnan() else 0.95 * self.bits.item() + 0.05 * bits)
        if self.max_bits is None or done <= _WARM:
            return
        over = self.bits.item() / self.max_bits - 0.97
        factor = _RATE_GROWTH ** (max(self.pace, 1.0) * max(-1.0, min(1.0, 10 * over)))
        self.extra_rate.mul_(factor).clamp_(_LEAST_RATE, _MOST_RATE)
