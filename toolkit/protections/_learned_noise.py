"""What Shredder and Cloak share: noise that learns in front of a frozen tail, as strong as the accuracy allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from . import _training
from .base import Protection, Training


def learn_noise(
    training: Training,
    noise: Protection,
    options: Mapping[str, float],
    *,
    rate: float,
    size: Callable[[], Tensor],
    name: str,
) -> None:
    """Train the noise in place: cross-entropy of the frozen tail - weight * size.

    Args:
        training: with head and tail, which stay as they are.
        noise: the method; all its parameters learn.
        options: `noise_weight`, which the weight starts at, and `max_drop`, see `Balance`.
        rate: of Adam.
        size: how much noise there is, a scalar with gradient.
        name: of the method, for progress and checkpoints.
    """
    balance = _training.balance_for(training, options["noise_weight"], options["max_drop"])
    optimizer = torch.optim.Adam(noise.parameters(), lr=rate)

    def step(batch: _training.Step) -> float:
        logits = batch.answers(noise)
        loss = batch.weight * batch.loss(logits) - balance.weight * size()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        balance.update(batch.scores(logits))
        return loss.item()

    with _training.frozen(training.head, training.tail):
        _training.run(training, {"noise": noise, "balance": balance}, {"adam": optimizer}, step, name)
