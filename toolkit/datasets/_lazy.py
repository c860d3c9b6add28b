"""Photos that are decoded when they are asked for: they index and split as a tensor does, and hold nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ._augment import Augment
from ._decode import Decode
from ._preprocess import normalised
from ._work import mapped, worker_count

if TYPE_CHECKING:
    from torch import Tensor

    from ..records.bundle import Preprocess
    from .base import Chunk, Dataset

#: photos per piece of work for one process
_CHUNK = 32


@dataclass(frozen=True)
class LazyImages:
    """Photos of a data set as the head's input [N,C,H,W], float32.

    Attributes:
        dataset: where they are.
        photos: [N] indices into it.
        preprocess: how they become the head's input.
        augment: what is drawn anew for each epoch; None: the photos as they are.
    """

    dataset: Dataset
    photos: Chunk
    preprocess: Preprocess
    augment: Augment | None = None

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def shape(self) -> torch.Size:
        """[N,C,H,W]."""
        return torch.Size((len(self), self.preprocess.channels, self.preprocess.height, self.preprocess.width))

    def __getitem__(self, index: slice | Tensor) -> Tensor:
        """Decode some: a slice, or a tensor of indices [B]."""
        chosen = self.photos[index if isinstance(index, slice) else index.numpy()]
        return torch.cat(list(self._decoded(_pieces(chosen)))) if len(chosen) else torch.empty((0, *self.shape[1:]))

    def first(self, count: int) -> LazyImages:
        """The first `count` of them, still not decoded."""
        return replace(self, photos=self.photos[:count])

    def split(self, size: int) -> Iterator[Tensor]:
        """Go over all of them, `size` at a time."""
        return self.batches(torch.arange(len(self)).split(size))

    def batches(self, order: Sequence[Tensor], epoch: int = 0) -> Iterator[Tensor]:
        """Decode given batches ahead of their use, in worker processes where that pays.

        Args:
            order: indices [B] of each batch.
            epoch: what augmentation is drawn for.
        """
        chosen = self if self.augment is None else replace(self, augment=replace(self.augment, epoch=epoch))
        return chosen._decoded([self.photos[index.numpy()] for index in order])

    def _decoded(self, chunks: Sequence[Chunk]) -> Iterator[Tensor]:
        task = Decode(self.dataset, self.preprocess, self.augment)
        workers = 0 if self.dataset.in_memory else worker_count(sum(map(len, chunks)))
        for made in mapped(task, chunks, workers):
            yield torch.from_numpy(normalised(made, self.preprocess))


def _pieces(photos: Chunk) -> list[Chunk]:
    return np.split(photos, range(_CHUNK, len(photos), _CHUNK))
