"""photos:DIR: photos without labels, anywhere under DIR."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ._files import LeftOut, photo_files
from .base import UNSAID, Bytes, Dataset, Names, Table
from .folder import existing_folder, file_stamp


class Photos(Dataset):
    """Every photo under a folder, sorted by its path."""

    lasting_stamps = True

    def __init__(self, root: Path, table: Table) -> None:
        self._root = root
        self._table = table

    @classmethod
    def open(cls, place: str) -> Photos:
        """List the photos."""
        root = existing_folder(place, "photos")
        left_out = LeftOut()
        names = list(photo_files(root, left_out))
        if not names:
            raise InputError(f"{root} holds no photo (jpg, png, webp, bmp, gif, tiff); give a folder that does.")
        unlabelled = np.full(len(names), -1, np.int32)
        unsaid = np.full(len(names), UNSAID, np.uint8)
        return cls(root, Table((), Names(names), unlabelled, unsaid, left_out=left_out.reasons))

    @property
    def table(self) -> Table:
        """Names are paths relative to DIR."""
        return self._table

    def read(self, index: int) -> bytes | Bytes:
        """The file's bytes."""
        return (self._root / self._table.names[index]).read_bytes()

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """The file's; see `file_stamp`."""
        return file_stamp(self._root / self._table.names[index])
