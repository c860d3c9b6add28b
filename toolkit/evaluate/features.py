"""The head's features of each set of photos, computed once; above a gigabyte it lies in a file, not in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

#: bytes; a larger set is memory-mapped
IN_MEMORY = 1_000_000_000
_BATCH = 128

Tensors = tuple[Tensor, ...]


def as_tuple(made: Tensor | Tensors | list[Tensor]) -> Tensors:
    """What a head gives out, as a tuple of tensors whether it is one or several."""
    return (made,) if isinstance(made, Tensor) else tuple(made)


class FeatureStore:
    """Features of sets of photos, by the identity of the set."""

    def __init__(self, head: Callable[[Tensor], Tensor | Tensors], in_memory: int = IN_MEMORY) -> None:
        self._head = head
        self._in_memory = in_memory
        self._kept: list[tuple[Tensor, Tensors]] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @torch.no_grad()
    def of(self, images: Tensor) -> Tensors:
        """Features [N,...] of images [N,channels,H,W]; the same tensor object is not computed again."""
        for known, features in self._kept:
            if known is images:
                return features
        first = as_tuple(self._head(images[:1]))
        made = tuple(self._room((len(images), *one.shape[1:])) for one in first)
        for rows in torch.arange(len(images)).split(_BATCH):
            for room, part in zip(made, as_tuple(self._head(images[rows])), strict=True):
                room[rows] = part
        self._kept.append((images, made))
        return made

    def _room(self, shape: tuple[int, ...]) -> Tensor:
        if 4 * int(np.prod(shape)) <= self._in_memory:
            return torch.empty(shape)
        if self._folder is None:
            # its name goes when this object does; the system frees the space
            self._folder = tempfile.TemporaryDirectory(prefix="pripro-features-", ignore_cleanup_errors=True)
        path = Path(self._folder.name) / f"{len(list(Path(self._folder.name).iterdir()))}.npy"
        return torch.from_numpy(np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape))
