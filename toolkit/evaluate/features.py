"""The head's features of each set of photos, computed once; above a gigabyte it lies in a file, not in memory."""

from __future__ import annotations

import itertools
import os
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

    def of(self, images: Tensor) -> Tensors:
        """Features [N,...] of images [N,channels,H,W]; a set, and the first so many of it, are not computed again."""
        for known, features in self._kept:
            if _begins_with(known, images):
                return tuple(one[: len(images)] for one in features)
        made = self._made(images, self._room)
        self._kept.append((images, made))
        return made

    def file(self, images: Tensor, folder: Path, name: str) -> None:
        """Compute a set's features into files that other processes `map`; here, too, they lie there from now on."""
        numbers = itertools.count()

        def room(shape: tuple[int, ...]) -> Tensor:
            return _mapped(folder / f"{name}-{next(numbers)}.npy", shape)

        self._kept = [(known, features) for known, features in self._kept if known is not images]
        self._kept.append((images, self._made(images, room)))

    def map(self, images: Tensor, folder: Path, name: str) -> None:
        """Know a set's features from the files that another process made of it."""
        paths = sorted(folder.glob(f"{name}-*.npy"), key=lambda path: int(path.stem.rpartition("-")[2]))
        self._kept.append((images, tuple(mapped(path) for path in paths)))

    @torch.no_grad()
    def _made(self, images: Tensor, room_of: Callable[[tuple[int, ...]], Tensor]) -> Tensors:
        first = as_tuple(self._head(images[:1]))
        made = tuple(room_of((len(images), *one.shape[1:])) for one in first)
        for rows in torch.arange(len(images)).split(_BATCH):
            for room, part in zip(made, as_tuple(self._head(images[rows])), strict=True):
                room[rows] = part
        return made

    def _room(self, shape: tuple[int, ...]) -> Tensor:
        if 4 * int(np.prod(shape)) <= self._in_memory:
            return torch.empty(shape)
        if self._folder is None:
            # its name goes when this object does; the system frees the space
            self._folder = tempfile.TemporaryDirectory(prefix="pripro-features-", ignore_cleanup_errors=True)
        path = Path(self._folder.name) / f"{len(list(Path(self._folder.name).iterdir()))}.npy"
        return _mapped(path, shape)


def mapped(path: Path) -> Tensor:
    """Map a tensor's file into memory: processes share it, and what one writes into it stays its own."""
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    room = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and would be the end of the process later
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return torch.from_numpy(room)


def _begins_with(known: Tensor, images: Tensor) -> bool:
    """Whether images are the first so many of a known set, in the same memory."""
    if known is images:
        return True
    alike = known.shape[1:] == images.shape[1:] and known.stride() == images.stride()
    return alike and len(images) <= len(known) and known.data_ptr() == images.data_ptr()
