"""From photos in a data set to 8-bit pixels of the input's size; runs in worker processes, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ._augment import Augment
from ._photo import NotAPhotoError, from_pixels, read_photo
from ._preprocess import pixels

if TYPE_CHECKING:
    from ..records.bundle import Preprocess
    from .base import Bytes, Chunk, Dataset


@dataclass(frozen=True)
class Decode:
    """Indices [B] -> 8-bit pixels [B,H,W,C]. Bytes travel between processes, not floats: a quarter."""

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
                f"{self.dataset.table.names[index]} was a photo when it was first read and no longer is ({error}); "
                "leave the data alone while pripro reads it, and start again."
            ) from None
        if self.augment is not None:
            return self.augment.apply(photo, self.preprocess, index)
        return pixels(photo, self.preprocess)
