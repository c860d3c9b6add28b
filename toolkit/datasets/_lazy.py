"""Photos that are decoded when they are asked for: they index and split as a tensor does, and hold nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import InputError
from ._augment import Augment
from ._photo import NotAPhotoError, from_pixels, read_photo
from ._preprocess import normalised, pixels
from ._work import mapped, worker_count

if TYPE_CHECKING:
    from torch import Tensor

    from ..records.bundle import Preprocess
    from .base import Bytes, Chunk, Dataset

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
        task = _Decode(self.dataset, self.preprocess, self.augment)
        for made in mapped(task, chunks, worker_count(sum(map(len, chunks)))):
            yield torch.from_numpy(normalised(made, self.preprocess))


def _pieces(photos: Chunk) -> list[Chunk]:
    return np.split(photos, range(_CHUNK, len(photos), _CHUNK))


@dataclass(frozen=True)
class _Decode:
    """Indices [B] -> 8-bit pixels [B,H,W,C]; runs in worker processes. Bytes travel, not floats: a quarter."""

    dataset: Dataset
    preprocess: Preprocess
    augment: Augment | None

    def __call__(self, chunk: Chunk) -> Bytes:
        return np.stack([self._one(index) for index in chunk.tolist()])

    def _one(self, index: int) -> Bytes:
        try:
            content = self.dataset.read(index)
            photo = read_photo(content) if isinstance(content, bytes) else from_pixels(content)
        except (NotAPhotoError, OSError) as error:
            # it could be read when the data set was looked at
            raise InputError(
                f"{self.dataset.table.names[index]} was a photo a while ago and is none now ({error}); "
                "leave the data alone while pripro reads it, and start again."
            ) from None
        if self.augment is not None:
            return self.augment.apply(photo, self.preprocess, index)
        return pixels(photo, self.preprocess)
