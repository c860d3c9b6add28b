"""Work on many photos in worker processes, in order, with a few chunks under way and never more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import PriproError
from .base import Chunk

Made = TypeVar("Made")

#: fewer photos than this are done before a worker process has started
_WORTH_IT = 1024
_MOST_WORKERS = 16
#: chunks under way per worker
_AHEAD = 2


def worker_count(photos: int) -> int:
    """How many worker processes pay for so many photos; 0: do them here. PRIPRO_WORKERS overrules it."""
    said = os.environ.get("PRIPRO_WORKERS", "")
    if said.isdecimal():
        return int(said)
    if photos < _WORTH_IT:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun: processes that share these cores
    return max(1, min(cores // beside, _MOST_WORKERS))


def mapped(task: Callable[[Chunk], Made], chunks: Sequence[Chunk], workers: int) -> Iterator[Made]:
    """Yield task(chunk) for every chunk, in order.

    Args:
        task: pickles; its results hold numpy arrays (sent through a pipe: /dev/shm is 64 MB in many containers).
        chunks: indices of photos.
        workers: processes; 0 works in this one.
    """
    if workers == 0:
        yield from map(task, chunks)
        return
    loader = DataLoader(
        _Chunks(task, chunks),
        batch_size=None,
        num_workers=min(workers, len(chunks)),
        prefetch_factor=_AHEAD,
        collate_fn=_as_it_is,
        generator=torch.Generator(),  # else it draws a seed from the global one
    )
    for made in loader:
        if isinstance(made, PriproError):
            raise made
        yield made


class _Chunks(Dataset[Made | PriproError]):
    def __init__(self, task: Callable[[Chunk], Made], chunks: Sequence[Chunk]) -> None:
        self._task = task
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> Made | PriproError:
        try:
            return self._task(self._chunks[index])
        except PriproError as error:  # a DataLoader would wrap its sentence in a worker's traceback
            return error


def _as_it_is(made: Made) -> Made:
    return made
