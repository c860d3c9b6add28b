"""The evaluator's own classifier: does a reconstruction still show what the photo showed?

It is trained on real images of the victim's parts, never on reconstructions and never on test images, and no
attack or protection sees it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIDE = 32


class Judge:
    """A small convolutional classifier of images in [0, 1]."""

    def __init__(self, channels: int, classes: int, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 16, classes),
            )  # fmt: skip
        self._seed = seed

    def train(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        epochs: int = 8,
        progress: Callable[[int, int, str], None] = lambda done, total, text: None,
    ) -> None:
        """Train on real images [N,channels,H,W] in [0, 1] and their labels [N], shifted by up to two pixels."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)  # the dropout layer draws from the global generator
            self._train(images, labels, epochs, progress)

    def _train(self, images: Tensor, labels: Tensor, epochs: int, progress: Callable[[int, int, str], None]) -> None:
        generator = torch.Generator().manual_seed(self._seed)
        images = self._sized(images)
        optimizer = torch.optim.Adam(self._network.parameters(), lr=2e-3)
        steps = epochs * -(-len(images) // 64)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        done = 0
        for _ in range(epochs):
            for index in torch.randperm(len(images), generator=generator).split(64):
                down, across = (int(torch.randint(-2, 3, (1,), generator=generator)) for _ in range(2))
                shifted = torch.roll(images[index], (down, across), (2, 3))
                loss = functional.cross_entropy(self._network(shifted), labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                done += 1
                progress(done, steps, f"judge, loss {loss.item():.3f}")
        self._network.eval()

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Class probabilities [N,K] of images [N,channels,H,W] in [0, 1]."""
        parts = self._sized(images).split(256)
        return torch.cat([torch.softmax(self._network(part), 1) for part in parts])

    def _sized(self, images: Tensor) -> Tensor:
        if images.shape[2:] == (_SIDE, _SIDE):
            return images
        return functional.interpolate(images, (_SIDE, _SIDE), mode="bilinear", align_corners=False, antialias=True)
