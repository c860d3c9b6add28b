"""Data sets that are arrays of pixels in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from .base import TEST, TRAIN, UNSAID, Bytes, Dataset, Names, Table


class Arrays(Dataset):
    """Pixels [N,H,W] or [N,H,W,3] with their labels; the first `train` ones are said to be for training."""

    in_memory = True

    def __init__(self, pixels: Bytes, labels: Sequence[int], classes: tuple[str, ...], train: int | None) -> None:
        self._pixels = pixels
        count = len(pixels)
        parts = np.full(count, UNSAID, np.uint8)
        if train is not None:
            parts[:train], parts[train:] = TRAIN, TEST
        names = Names(f"image {index}" for index in range(count))
        self._table = Table(classes, names, np.asarray(labels, np.int32), parts)

    @property
    def table(self) -> Table:
        """Names are running numbers."""
        return self._table

    def read(self, index: int) -> bytes | Bytes:
        """The pixels [H,W] or [H,W,3]."""
        row: Bytes = self._pixels[index]
        return row

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """A checksum of the pixels, which costs a fraction of their hash."""
        return (zlib.crc32(np.ascontiguousarray(self._pixels[index]).data),)
