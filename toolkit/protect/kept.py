"""What a network makes of many photos, kept to be gone over again: in memory, or more of it in a file.

Notation: N photos.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..inference import device_of, gathered, rows_at_once
from ..protections._features import Room

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..datasets._lazy import LazyImages

#: outputs that are kept in memory at most
_IN_MEMORY = 512 << 20


class OnDisk:
    """Rows [N,...], float32, in a file without a name: they split as a tensor does and go with this object.

    The file is read, not mapped: a mapped one's pages would count as this process's memory.

    Args:
        parts: the rows [b,...] as they come.
        count: N.
        folder: on the disk that has room for them.
    """

    def __init__(self, parts: Iterable[Tensor], count: int, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed when this object goes)
        weakref.finalize(self, self._file.close)
        self.shape = torch.Size((count,))
        for part in parts:
            self.shape = torch.Size((count, *part.shape[1:]))
            self._file.write(part.contiguous().numpy().tobytes())

    def __len__(self) -> int:
        return self.shape[0]

    def split(self, size: int) -> Iterator[Tensor]:
        """Go over all of them, `size` at a time."""
        each = 4 * math.prod(self.shape[1:])
        for start in range(0, len(self), size):
            self._file.seek(start * each)
            read = bytearray(self._file.read(min(size, len(self) - start) * each))
            yield torch.frombuffer(read, dtype=torch.float32).reshape(-1, *self.shape[1:])


@torch.no_grad()
def kept(module: nn.Module, images: Tensor | LazyImages, folder: Path | None) -> Tensor | OnDisk:
    """Apply a module to many photos [N,C,H,W] as `in_batches` does; above 512 MB its outputs are kept in a file.

    Args:
        module: photos [B,C,H,W] -> float32 [B,...].
        images: lazy ones are decoded as needed.
        folder: where such a file may be; None, or a disk without room: memory in any case.
    """
    device, count = device_of(module), len(images)
    parts = (module(part.to(device)).cpu() for part in images.split(rows_at_once(images)))
    first = next(parts)
    room = Room((count, *first.shape[1:]))
    whole = itertools.chain([first], parts)
    del first
    if folder is None or room.bytes <= _IN_MEMORY or not room.fits_on_disk(folder):
        return gathered(whole, count)
    return OnDisk(whole, count, folder)
