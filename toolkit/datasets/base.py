"""What a data set is: a list of photos on disk, each with where to read it and what is said of it.

Notation: N photos. Nothing here is decoded: a data set of a million photos is a table of a few dozen megabytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int32]]
#: indices of some photos
Chunk = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: what a data set itself says of a photo's part
UNSAID, TRAIN, VAL, TEST = 0, 1, 2, 3
#: the names under which people keep them
PART_NAMES = {"train": TRAIN, "training": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "test": TEST}


class Names:
    """Many strings in one buffer: a list of a million Python strings takes three times the room, in every worker."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        self._text = b"".join(encoded)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = 0 if index == 0 else self._ends[index - 1]
        return self._text[start : self._ends[index]].decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Attribute:
    """A column beside the label: `values[codes[i]]` is what is said of photo i; -1 where nothing is."""

    values: tuple[str, ...]
    codes: Numbers


@dataclass(frozen=True)
class Table:
    """What a data set says of its photos, without their pixels.

    Attributes:
        classes: names of the classes; empty where nothing is labelled.
        names: of each photo, for people.
        labels: [N] index into `classes`, -1 where unlabelled.
        parts: [N] UNSAID, TRAIN, VAL or TEST.
        attributes: further columns, by name.
        left_out: why files that look like part of it are not in it -> how many, and the first one's name.
    """

    classes: tuple[str, ...]
    names: Names
    labels: Numbers
    parts: Bytes
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    left_out: Mapping[str, tuple[int, str]] = field(default_factory=dict)


class Dataset(ABC):
    """One kind of data set. Its file name is its name in `--data KIND:PLACE`.

    An instance is sent to worker processes: it must pickle, and hold no open file.
    """

    #: how the place is written in a list of kinds; empty where the kind takes none
    place: ClassVar[str] = "DIR"
    #: whether reading costs nothing, so that worker processes do not pay off
    in_memory: ClassVar[bool] = False
    #: whether stamps begin as `file_stamp`'s do, and so mean the same in another process
    lasting_stamps: ClassVar[bool] = False
    #: the optional package that it needs -> the extra that brings it
    needs: ClassVar[Mapping[str, str]] = {}

    @classmethod
    @abstractmethod
    def open(cls, place: str) -> Dataset:
        """Look at what is there.

        Raises:
            InputError: nothing is there, or it is not of this kind.
            MissingExtraError: the kind's package is not installed.
        """

    @property
    @abstractmethod
    def table(self) -> Table:
        """What is said of each photo."""

    @abstractmethod
    def read(self, index: int) -> bytes | Bytes:
        """One photo's content: an encoded file, or 8-bit pixels [H,W] or [H,W,3].

        Raises:
            OSError: it cannot be read.
        """

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """Numbers that change when a photo's content does, without reading it; None: then every stage reads it anew.

        Raises:
            OSError: as `read`.
        """
        return None
