"""csv:FILE: a table of photos with a header; columns path, label (or none), part (or none), and any attributes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..errors import InputError
from .base import PART_NAMES, UNSAID, Attribute, Bytes, Dataset, Names, Numbers, Table
from .folder import file_stamp

_PATH, _LABEL, _PART = "path", "label", "part"


class Csv(Dataset):
    """Paths are relative to the table's own folder; every further column is an attribute by its header's name."""

    place = "FILE"
    lasting_stamps = True

    def __init__(self, root: Path, table: Table) -> None:
        self._root = root
        self._table = table

    @classmethod
    def open(cls, place: str) -> Csv:
        """Read the table; the photos are looked at later."""
        path = Path(place).expanduser()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                header, *rows = [row for row in csv.reader(file) if row]
        except (OSError, UnicodeDecodeError, csv.Error, ValueError):
            raise InputError(
                f"{path} is not a table of comma-separated values in UTF-8 with a header; give one with the columns "
                "path and label."
            ) from None
        header = [name.strip() for name in header]
        if _PATH not in header or len(set(header)) < len(header):
            raise InputError(
                f"The header of {path} is {', '.join(header)}; it must name a column path, and no column twice."
            )
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise InputError(
                    f"Line {number} of {path} has {len(row)} values for {len(header)} columns; correct it."
                )
        columns = {name: [row[at].strip() for row in rows] for at, name in enumerate(header)}
        return cls(path.parent, _table(path, columns))

    @property
    def table(self) -> Table:
        """Names are the paths as written."""
        return self._table

    def read(self, index: int) -> bytes | Bytes:
        """The file's bytes."""
        return (self._root / self._table.names[index]).read_bytes()

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """The file's; see `file_stamp`."""
        return file_stamp(self._root / self._table.names[index])


def _table(path: Path, columns: dict[str, list[str]]) -> Table:
    paths = columns.pop(_PATH)
    if not paths:
        raise InputError(f"{path} has a header but no row; give one row per photo.")
    classes: tuple[str, ...] = ()
    labels: Numbers = np.full(len(paths), -1, np.int32)
    if _LABEL in columns:
        said = coded(columns.pop(_LABEL))
        classes, labels = said.values, said.codes
    parts = np.full(len(paths), UNSAID, np.uint8)
    if _PART in columns:
        given = columns.pop(_PART)
        unknown = next((value for value in given if value and value.lower() not in PART_NAMES), None)
        if unknown is not None:
            raise InputError(f"{path} puts a photo into part {unknown!r}; write train, val, test, or nothing.")
        parts = np.array([PART_NAMES.get(value.lower(), UNSAID) for value in given], np.uint8)
    return Table(classes, Names(paths), labels, parts, {name: coded(values) for name, values in columns.items()})


def coded(values: list[str]) -> Attribute:
    """Number a column's values in their order: whole numbers by size, else by alphabet; an empty cell is -1."""
    known = {value for value in values if value}
    whole = all(value.isdecimal() for value in known)
    ordered = sorted(known, key=lambda value: (int(value), value)) if whole else sorted(known)
    number = {value: index for index, value in enumerate(ordered)}
    return Attribute(tuple(ordered), np.array([number.get(value, -1) for value in values], np.int32))
