"""folder:DIR: one folder of photos per class, or train/, val/ and test/ of those, as torchvision's ImageFolder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import InputError
from ._files import LeftOut, is_hidden, photo_files
from .base import PART_NAMES, UNSAID, Bytes, Dataset, Names, Table


class Folder(Dataset):
    """Photos of class NAME lie anywhere under DIR/NAME, or under DIR/train/NAME and DIR/test/NAME."""

    lasting_stamps = True

    def __init__(self, root: Path, table: Table) -> None:
        self._root = root
        self._table = table

    @classmethod
    def open(cls, place: str) -> Folder:
        """List the photos of each class folder, sorted by name."""
        root = existing_folder(place, "folder")
        parts = {name: said for name, said in PART_NAMES.items() if (root / name).is_dir()}
        if not {"train", "training"} & parts.keys() or len(parts) < 2:
            parts = {"": UNSAID}
        left_out = LeftOut()
        classes = {part: _class_folders(root / part, left_out) for part in parts}
        first, *others = classes
        for other in others:
            if classes[other] != classes[first]:
                raise InputError(
                    f"{root / first} and {root / other} name different classes ({_some(classes[first])}; "
                    f"{_some(classes[other])}); they must have the same subfolders."
                )
        if not classes[first]:
            raise InputError(f"{root / first} has no subfolders; make one subfolder of photos per class.")
        names: list[str] = []
        labels: list[int] = []
        said: list[int] = []
        for part, value in parts.items():
            for label, name in enumerate(classes[first]):
                inside = "/".join(filter(None, (part, name)))
                found = list(photo_files(root / inside, left_out, above=root))
                names += [f"{inside}/{each}" for each in found]
                labels += [label] * len(found)
                said += [value] * len(found)
        table = Table(
            tuple(classes[first]),
            Names(names),
            np.array(labels, np.int32),
            np.array(said, np.uint8),
            left_out=left_out.reasons,
        )
        return cls(root, table)

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


def existing_folder(place: str, kind: str) -> Path:
    """The folder that a place names.

    Raises:
        InputError: there is none.
    """
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; --data {kind}:DIR needs one.")
    return folder


def file_stamp(path: Path) -> tuple[int, ...]:
    """Size, times of change and place on the disk of a file: a copy that keeps the time is another file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _class_folders(folder: Path, left_out: LeftOut) -> list[str]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if not entry.is_dir() and not is_hidden(entry.name):
            left_out.add("outside of the class folders", entry.name)
    return [entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
