"""Photos as seen again: shifted a little and, in colour, mirrored; and what the unprotected network says of each view.

A few fixed views instead of a new one each time [ours]: the frozen network's answers, and its features where the head
stays frozen, are then computed once and kept. Fresh ones instead, never the same twice and mixed with one another,
have the frozen network answer anew in every step: a patient teacher (Beyer et al., CVPR 2022), worth 0.994 for 0.978
of a ResNet's accuracy at its middle cut (benchmarks/privacy/photos).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...inference import fastest_layout, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...datasets._data import Part
    from ...protections._devices import Devices

VIEWS = 3
#: share of a batch's photos that are mixed with another, in any proportion [ours]
_MIXED = 0.7
#: of the side, at most
_SHIFT = 0.1
#: decoded photos, and features, that are kept in memory, each at most
_KEPT_BYTES = 1 << 30
_AT_ONCE = 128


@dataclass(frozen=True)
class Seen:
    """One batch of a view, on the training's device.

    Attributes:
        images: [B,C,H,W].
        features: of the unprotected head [B,...].
        answers: of the unprotected network [B,K].
    """

    images: Tensor
    features: Tensor
    answers: Tensor


class Views:
    """The victim's photos in VIEWS views, one an epoch, or in another view each time.

    Args:
        head, tail: of the unprotected network, on the training's device.
        smashed: shape of what crosses.
        part: victim-train.
        seed: of the views.
        devices: where the arithmetic happens.
        fresh: another view in each epoch; nothing is kept.
    """

    def __init__(
        self,
        head: nn.Module,
        tail: nn.Module,
        smashed: tuple[int, ...],
        part: Part,
        seed: int,
        devices: Devices,
        *,
        fresh: bool = False,
    ) -> None:
        self._head, self._tail, self._part, self._seed, self._devices = head, tail, part, seed, devices
        self._fresh = fresh
        self._layout: torch.memory_format | None = None
        self._in_memory = isinstance(part.photos, Tensor) or 4 * part.photos.shape.numel() <= _KEPT_BYTES
        size = 4 * VIEWS * len(part) * math.prod(smashed)
        self._keeps_features = size <= _KEPT_BYTES
        self._known: dict[int, tuple[Tensor | None, Tensor]] = {}

    def batches(self, epoch: int, order: Sequence[Tensor], *, mixed: bool = False) -> Iterator[Seen]:
        """Go over batches of photos, given by their indices [B], as this epoch sees them.

        Args:
            epoch: from 0.
            order: the batches.
            mixed: whether photos are mixed with one another; fresh views only.
        """
        number = epoch if self._fresh else epoch % VIEWS
        view = _View(len(self._part), tuple(self._part.photos.shape[1:]), seeded(1000 * self._seed + number))
        if self._fresh or not self._in_memory:
            for index, images in zip(order, self._loaded(order), strict=True):
                seen = view.of(images, index)
                yield self._looked_at(self._mixed(seen, index, number) if mixed else seen)
            return
        device = self._devices.device
        features, answers = self._known.get(number) or self._learn(number, view)
        for index in order:
            images = self._placed(view.of(self._part.images[index], index))
            kept = self._smashed(images) if features is None else features[index].to(device)
            yield Seen(images, kept, answers[index].to(device))

    def _loaded(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        photos = self._part.photos
        if self._in_memory or isinstance(photos, Tensor):
            return (self._part.images[index] for index in order)
        return photos.batches(order)

    def _mixed(self, images: Tensor, index: Tensor, number: int) -> Tensor:
        """Mix most of a batch [B,C,H,W] with its mirror image, first with last, the same whenever it comes."""
        generator = seeded(1_000_003 * (1000 * self._seed + number) + int(index[0]))
        part = torch.rand(len(images), 1, 1, 1, generator=generator)
        part[torch.rand(len(images), generator=generator) > _MIXED] = 0.0
        return torch.lerp(images, images.flip(0), part)

    def _placed(self, images: Tensor) -> Tensor:
        """Images [B,C,H,W] on the training's device, laid out as the unprotected network is fastest with them."""
        images = images.to(self._devices.device)
        if self._layout is None:
            self._layout = fastest_layout(lambda one: self._tail(self._head(one)), images[:1])
        return images.contiguous(memory_format=self._layout)

    @torch.no_grad()
    def _smashed(self, images: Tensor) -> Tensor:
        with self._devices.autocast():
            features: Tensor = self._head(images)
        return features.float()

    @torch.no_grad()
    def _looked_at(self, images: Tensor) -> Seen:
        images = self._placed(images)
        features = self._smashed(images)
        with self._devices.autocast():
            answers: Tensor = self._tail(features)
        return Seen(images, features, answers.float())

    def _learn(self, number: int, view: _View) -> tuple[Tensor | None, Tensor]:
        """Compute a whole view in the photos' order, so that a resumed training finds the same numbers to the bit."""
        rows = [
            self._looked_at(view.of(self._part.images[index], index))
            for index in torch.arange(len(self._part)).split(_AT_ONCE)
        ]
        features = torch.cat([row.features.cpu() for row in rows]) if self._keeps_features else None
        self._known[number] = features, torch.cat([row.answers.cpu() for row in rows])
        return self._known[number]


class _View:
    """A shift of up to a tenth for each of N photos, edges repeated; every second colour photo is mirrored."""

    def __init__(self, count: int, image: tuple[int, ...], generator: torch.Generator) -> None:
        channels, self._height, self._width = image
        self._reach = max(int(_SHIFT * self._height), 1), max(int(_SHIFT * self._width), 1)
        self._down, self._right = (
            torch.randint(0, 2 * size + 1, (count, 1), generator=generator) for size in self._reach
        )
        self._mirrored = torch.rand(count, 1, generator=generator) < (0.5 if channels == 3 else 0.0)

    def of(self, images: Tensor, index: Tensor) -> Tensor:
        """Change images [B,C,H,W], photos `index` [B]."""
        down, right = self._reach
        padded = functional.pad(images, (right, right, down, down), mode="replicate")
        rows = self._down[index] + torch.arange(self._height)
        columns = self._right[index] + torch.arange(self._width)
        columns = torch.where(self._mirrored[index], columns.flip(1), columns)
        batch = torch.arange(len(images))[:, None, None]
        # advanced indices around a slice: the channels come last
        return padded[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
