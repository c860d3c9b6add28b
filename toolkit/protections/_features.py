"""What the frozen head makes of a training's photos: computed once and kept in memory or on the disk, or anew.

Notation: N photos, C x h x w smashed features.
"""

from __future__ import annotations

import mmap
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..inference import fastest_layout, gathered, rows_at_once

if TYPE_CHECKING:
    from ..datasets._lazy import LazyImages
    from .base import Training

#: features that are kept in memory at most
IN_MEMORY = 512 << 20
#: what stays free on the disk beside the features
_SPARE = 2 << 30
#: photos that the head takes together, at most
_BATCH = 64
#: batches between two looks at how much of the mapped file is resident
_FORGET_EVERY = 16


class Features(ABC):
    """Features, looked up by their photos' index."""

    #: how they are kept, for people
    kept: str

    @abstractmethod
    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Features [B,C,h,w] of each batch of photos [B]."""


class Held(Features):
    """In memory."""

    kept = "in memory"

    def __init__(self, values: Tensor) -> None:
        self._values = values

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Rows of the tensor."""
        return (self._values[index] for index in order)


class Mapped(Features):
    """In a file; what was read is given back to the system, so that this process stays small."""

    kept = "on the disk"

    def __init__(self, values: np.memmap[tuple[int, ...], np.dtype[np.float32]]) -> None:
        self._values = values

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """Rows of the file, copied."""
        for number, index in enumerate(order):
            yield torch.from_numpy(self._values[index.numpy()])
            if number % _FORGET_EVERY == _FORGET_EVERY - 1:
                forget(self._values)


class Anew(Features):
    """Computed each time, where neither memory nor disk has room."""

    kept = "nowhere: computed anew in every epoch, as neither memory nor the disk has room"

    def __init__(self, training: Training) -> None:
        self._training = training

    def batches(self, order: Sequence[Tensor]) -> Iterator[Tensor]:
        """The head of photos that are decoded ahead; each process computes its own and is told the others'."""
        devices = self._training.devices
        if devices.processes == 1:
            yield from head_of(self._training, order)
            return
        for index, mine in zip(order, head_of(self._training, [devices.own(index) for index in order]), strict=True):
            whole = torch.zeros((len(index), *mine.shape[1:]), device=devices.device)
            whole[slice(None) if len(mine) == len(index) else slice(devices.rank, None, devices.processes)] = mine.to(
                devices.device
            )
            yield (whole if len(mine) == len(index) else devices.total(whole)).cpu()


@dataclass(frozen=True)
class Room:
    """How much the features of a training take.

    Attributes:
        shape: (N, C, h, w).
    """

    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """As float32."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    def fits_on_disk(self, folder: Path | None) -> bool:
        """Whether a folder's disk has room for them and some to spare."""
        return folder is not None and shutil.disk_usage(folder).free > self.bytes + _SPARE


def features_of(training: Training) -> Features:
    """Compute the features of all photos once, shared among processes, and keep them where there is room."""
    count = len(training.images)
    one = next(head_of(training, [torch.arange(1)]))
    room = Room((count, *one.shape[1:]))
    order = torch.arange(count).split(rows_at_once(training.images, _BATCH))
    devices = training.devices
    if room.bytes <= IN_MEMORY:
        if devices.processes == 1:
            return Held(gathered(head_of(training, order), count))
        values = torch.zeros(room.shape)
        _fill(training, order, values.numpy())
        return Held(devices.total(values.to(devices.device)).cpu())
    place = devices.told(str(training.scratch) if room.fits_on_disk(training.scratch) else "")
    return _mapped(training, room, order, Path(place) / "features.f32") if place else Anew(training)


def room_of(training: Training) -> tuple[Room, str]:
    """How much the features take, and where they will be kept."""
    one = next(head_of(training, [torch.arange(1)]))
    room = Room((len(training.images), *one.shape[1:]))
    if room.bytes <= IN_MEMORY:
        return room, Held.kept
    return room, Mapped.kept if room.fits_on_disk(training.scratch) else Anew.kept


def _mapped(training: Training, room: Room, order: Sequence[Tensor], path: Path) -> Mapped:
    devices = training.devices
    if devices.first:
        np.memmap(path, np.float32, "w+", shape=room.shape)
    devices.wait()
    values: np.memmap[tuple[int, ...], np.dtype[np.float32]] = np.memmap(path, np.float32, "r+", shape=room.shape)
    _fill(training, order, values)
    devices.wait()
    if devices.first:
        # the mapping stays, and goes with the process, however that ends
        path.unlink()
    return Mapped(values)


def _fill(
    training: Training, order: Sequence[Tensor], values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    """Write this process's share of the features."""
    mine = order[training.devices.rank :: training.devices.processes]
    total = sum(map(len, mine))
    done = 0
    for number, (index, part) in enumerate(zip(mine, head_of(training, mine), strict=True)):
        values[int(index[0]) : int(index[-1]) + 1] = part.numpy()
        done += len(index)
        training.progress(done, total, f"features of {total:,} photos")
        if isinstance(values, np.memmap) and number % _FORGET_EVERY == _FORGET_EVERY - 1:
            forget(values)


def forget(values: np.memmap[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """Give a mapped file's pages back to the system; what is in them stays in the file."""
    mapped = getattr(values, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        values.flush()
        mapped.madvise(mmap.MADV_DONTNEED)


@torch.no_grad()
def head_of(training: Training, order: Sequence[Tensor]) -> Iterator[Tensor]:
    """Features [B,C,h,w] on the CPU of each batch of photos [B], decoded ahead."""
    layout: torch.memory_format | None = None
    for images in photos_of(training.images, order):
        layout = layout or fastest_layout(training.head, images[:1].to(training.devices.device))
        # nothing here holds a batch's features while the next ones are made
        yield _applied(training, images, layout)


def _applied(training: Training, images: Tensor, layout: torch.memory_format) -> Tensor:
    devices = training.devices
    with devices.autocast():
        features: Tensor = training.head(images.to(devices.device).contiguous(memory_format=layout))
    return features.float().cpu().contiguous()


def photos_of(images: Tensor | LazyImages, order: Sequence[Tensor], epoch: int = 0) -> Iterator[Tensor]:
    """Photos [B,channels,H,W] of each batch [B]; lazy ones are decoded ahead."""
    if isinstance(images, Tensor):
        return (images[index] for index in order)
    return images.batches(order, epoch)


def sample_of(training: Training, most: int = 4096) -> Tensor:
    """Features [M,C,h,w] of the first photos, as many as fit well into memory: enough for a scale or a spread."""
    one = next(head_of(training, [torch.arange(1)]))
    room = max(min(most, len(training.images), IN_MEMORY // 2 // (4 * one.numel())), 1)
    return gathered(head_of(training, torch.arange(room).split(rows_at_once(training.images, _BATCH))), room)
