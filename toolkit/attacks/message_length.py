"""Message length: what an eavesdropper learns who sees how long each message is, and nothing of its content.

Entropy-coded messages are longer for busier photos. Source: traffic analysis; Dyer et al., "Peek-a-Boo, I Still See
You", IEEE S&P 2012. A histogram of lengths per class, its width chosen by the likelihood of held-out photos: nothing
is trained, so no training can fail.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ._fitting import split_of
from .base import Attack, Knowledge, Messages, Training

_BINS = (1, 2, 4, 8, 16, 32, 64)
#: added to every count, as share of the class: no answer is ever certain
_SMOOTH = 0.5


class MessageLength(Attack):
    """Scores for the attacker's task from the message's length in bytes alone."""

    yields: ClassVar = frozenset({"attribute"})

    def __init__(self) -> None:
        self._edges = torch.empty(0)
        self._table: Tensor | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Count.

        Raises:
            ValueError: the knowledge holds no attribute.
        """
        attribute = knowledge.attribute
        if attribute is None:
            raise ValueError("an attack on the attribute needs the attribute of the attacker's images")
        lengths = torch.cat(
            [knowledge.observe(rows).bytes[:, 0] for rows in torch.arange(len(knowledge.images)).split(256)]
        )
        learn, held = split_of(knowledge)
        losses = []
        for bins in _BINS:
            self._count(lengths[learn], attribute[learn], knowledge.classes, bins)
            losses.append(-self._scores(lengths[held])[torch.arange(len(held)), attribute[held]].mean().item())
        best = min(range(len(_BINS)), key=lambda number: losses[number])
        self._count(lengths[learn], attribute[learn], knowledge.classes, _BINS[best])
        knowledge.log.append(
            Training("message length", len(learn), 0.0, len(_BINS), True, tuple(round(loss, 5) for loss in losses))
        )

    def run(self, messages: Messages) -> Tensor:
        """Score B photos' messages -> log-probabilities [B,classes]."""
        return self._scores(messages.bytes.mean(1))

    def _count(self, lengths: Tensor, attribute: Tensor, classes: int, bins: int) -> None:
        shares = torch.linspace(0, 1, bins + 1)[1:-1]
        self._edges = torch.quantile(lengths, shares).unique() if bins > 1 else torch.empty(0)
        place = torch.bucketize(lengths, self._edges)
        table = torch.full((len(self._edges) + 1, classes), 0.0)
        table.index_put_((place, attribute), torch.ones(len(lengths)), accumulate=True)
        prior = (torch.bincount(attribute, minlength=classes) + _SMOOTH) / (len(attribute) + _SMOOTH * classes)
        table += _SMOOTH * classes * prior
        self._table = (table / table.sum(1, keepdim=True)).log()

    def _scores(self, lengths: Tensor) -> Tensor:
        if self._table is None:
            raise RuntimeError("train() comes before run()")
        return self._table[torch.bucketize(lengths, self._edges)]
