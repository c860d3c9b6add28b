"""webdataset:PATTERN: tar shards, as the webdataset package writes them; shards are read in place, by offset.

A sample is what shares a name up to its first dot: one photo, and `.cls` (a whole number or a name), `.json` with
"label", or `.txt`. PATTERN is one file, a glob, or has one brace range, such as `shard-{000000..000099}.tar`.
"""

from __future__ import annotations

import glob
import json
import re
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ._files import PHOTO_SUFFIXES, LeftOut, is_hidden
from .base import PART_NAMES, UNSAID, Attribute, Bytes, Dataset, Names, Table
from .csv import coded
from .folder import file_stamp

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 100_000


class Webdataset(Dataset):
    """Random access into plain tar files: what a sample needs is its shard, its offset and its length."""

    place = "PATTERN"
    lasting_stamps = True

    def __init__(
        self, shards: list[Path], where: np.ndarray[tuple[int, ...], np.dtype[np.int64]], table: Table
    ) -> None:
        self._shards = shards
        self._where = where
        self._table = table
        self._stamps: dict[int, tuple[int, ...]] = {}

    @classmethod
    def open(cls, place: str) -> Webdataset:
        """Read the headers of every shard."""
        shards = _shards(place)
        found = _Found()
        for number, shard in enumerate(shards):
            try:
                with tarfile.open(shard, "r:") as archive:
                    _samples(archive, number, shard, found)
            except (tarfile.TarError, OSError, EOFError):
                raise InputError(
                    f"{shard} is not a plain tar file (a compressed one cannot be read in place); write the shards "
                    "without compression."
                ) from None
        if not found.names:
            raise InputError(f"The shards {place} hold no photo; a sample needs one, such as 000123.jpg.")
        said = coded(found.labels) if any(found.labels) else None
        classes = () if said is None else _classes(said)
        labels = np.full(len(found.names), -1, np.int32) if said is None else _numbered(said, classes)
        parts = np.array(found.parts, np.uint8)
        table = Table(classes, Names(found.names), labels, parts, left_out=found.left_out.reasons)
        return cls(shards, np.array(found.where, np.int64), table)

    @property
    def table(self) -> Table:
        """Names are shard and member."""
        return self._table

    def read(self, index: int) -> bytes | Bytes:
        """The member's bytes."""
        shard, offset, length = self._where[index].tolist()
        with self._shards[shard].open("rb") as file:
            file.seek(offset)
            data: bytes = file.read(length)
            return data

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """The shard's, and the member's place in it."""
        shard, offset, length = self._where[index].tolist()
        if shard not in self._stamps:
            self._stamps[shard] = file_stamp(self._shards[shard])
        return (*self._stamps[shard], offset, length)


@dataclass
class _Found:
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    where: list[tuple[int, int, int]] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)


def _shards(place: str) -> list[Path]:
    pattern = str(Path(place).expanduser())
    between = _RANGE.search(pattern)
    if between is not None:
        low, high = between.groups()
        if int(high) - int(low) >= _MOST_SHARDS:
            raise InputError(f"{place} names more than {_MOST_SHARDS} shards; name fewer.")
        numbers = (str(number).zfill(len(low)) for number in range(int(low), int(high) + 1))
        shards = [Path(pattern[: between.start()] + number + pattern[between.end() :]) for number in numbers]
        missing = next((shard for shard in shards if not shard.is_file()), None)
        if missing is not None:
            raise InputError(f"There is no shard {missing}; --data webdataset:PATTERN must name shards that are there.")
    else:
        found = sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        shards = [Path(path) for path in found if Path(path).is_file()]
    if not shards:
        raise InputError(f"No file is named like {place}; --data webdataset:PATTERN names tar files.")
    return shards


def _samples(archive: tarfile.TarFile, number: int, shard: Path, found: _Found) -> None:
    part = next(
        (said for name, said in PART_NAMES.items() if re.search(rf"(^|[-_.]){name}([-_.]|$)", shard.name)), UNSAID
    )
    photos: dict[str, tuple[str, int, int]] = {}
    labels: dict[str, str] = {}
    for member in archive:
        folder, _, last = member.name.rpartition("/")
        stem, _, extension = last.partition(".")
        name, key, suffix = f"{shard.name}/{member.name}", f"{folder}/{stem}", f".{extension.lower()}"
        if not member.isfile():
            continue
        if is_hidden(last):
            found.left_out.add("hidden or a system's own", name)
        elif Path(suffix).suffix.lower() in PHOTO_SUFFIXES or suffix in PHOTO_SUFFIXES:
            photos.setdefault(key, (name, member.offset_data, member.size))
        elif suffix in (".cls", ".cls2", ".json", ".txt"):
            file = archive.extractfile(member)
            label = "" if file is None else _label(suffix, file.read())
            if label and (key not in labels or suffix == ".cls"):
                labels[key] = label
    for key, (name, offset, length) in photos.items():
        found.names.append(name)
        found.labels.append(labels.get(key, ""))
        found.parts.append(part)
        found.where.append((number, offset, length))


def _label(suffix: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace").strip()
    if suffix != ".json":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return ""
    said = value.get("label", value.get("cls", "")) if isinstance(value, dict) else value
    return str(said) if isinstance(said, str | int) else ""


def _classes(said: Attribute) -> tuple[str, ...]:
    """Names in order; whole numbers count classes from 0, also those that no sample here has."""
    if all(value.isdecimal() for value in said.values):
        return tuple(str(number) for number in range(int(said.values[-1]) + 1))
    return said.values


def _numbered(said: Attribute, classes: tuple[str, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    index = {name: number for number, name in enumerate(classes)}
    whole = all(value.isdecimal() for value in said.values)
    renumbered = np.array([index[str(int(value)) if whole else value] for value in said.values], np.int32)
    return np.where(said.codes < 0, -1, renumbered[said.codes]).astype(np.int32)
