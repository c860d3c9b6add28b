"""How long a training will take and what it will use, said before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from ._features import Room, head_of

if TYPE_CHECKING:
    from .base import Training

#: fewer photos are done before anybody has read the line
_WORTH_SAYING = 2000
_BATCH = 32


def estimate(training: Training, room: Room, kept: str) -> str:
    """Time one batch through head and tail, and multiply; empty where the training is short.

    Args:
        training: about to begin.
        room: that its features take.
        kept: where they are kept.
    """
    count = len(training.images)
    if count < _WORTH_SAYING:
        return ""
    index = torch.arange(min(_BATCH, count))
    began = time.perf_counter()
    features = next(head_of(training, [index]))
    head = (time.perf_counter() - began) / len(index)
    began = time.perf_counter()
    training.tail(features.to(training.devices.device).requires_grad_()).sum().backward()
    tail = (time.perf_counter() - began) / len(index)
    looks = training.epochs if kept.startswith("nowhere") else 1
    processes = training.devices.processes
    seconds = count * (looks * head + training.epochs * tail) / processes
    used = f"{room.bytes / 1e9:.1f} GB of features {kept}"
    return (
        f"about {duration(seconds)} for {count:,} photos and {training.epochs} epochs on {training.devices.device}"
        f"{f' in {processes} processes' if processes > 1 else ''}, with {used}"
    )


def duration(seconds: float) -> str:
    """Write a time for people: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
