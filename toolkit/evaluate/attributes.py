"""The user's own question about each photo: a column of a table, the folder a photo lies in, or a label column.

FILE.csv:COLUMN     photo path or file name in the first column (or the one named path, file, photo or name)
class-of:FOLDER     FOLDER's subfolders hold copies of the photos, by file name; the subfolder is the value
NAME                a label column of the data set, or one of this project's own, such as slant
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from ..datasets._data import DataSplits, Part
from ..datasets._lazy import LazyImages
from ..errors import InputError, UnknownNameError
from . import tasks
from .tasks import Task, make_task, task_of

_FOLDER = "class-of:"
_PHOTO_COLUMNS = ("path", "file", "photo", "name", "image", "filename")
#: of photos without a value, at most this many are named
_NAMED = 3


def attribute_task(spec: str, data: DataSplits, images: tuple[Tensor, Tensor]) -> Task:
    """Make the attacker's task of an attribute.

    Args:
        spec: as the module says.
        data: the attacker's and the test photos, their names and label columns.
        images: the first so many of both, in [0, 1]: what the task is about.

    Raises:
        InputError: a file that does not fit, a photo without a value, a column with one value only.
        UnknownNameError: no such attribute.
    """
    parts = [(data.attacker_train, len(images[0])), (data.test, len(images[1]))]
    table, column = _table_and_column(spec)
    if column is not None:
        return _looked_up(f"{column} of {table.name}", _column(table, column), parts)
    if spec.startswith(_FOLDER):
        folder = Path(spec.removeprefix(_FOLDER)).expanduser()
        return _looked_up(f"folder of {folder.name}", _folders(folder), parts)
    if spec in data.attributes:
        values = data.attributes[spec]
        mine, theirs = (part.attributes[spec][:count] for part, count in parts)
        for codes in (mine, theirs):
            missing = int((codes < 0).sum())
            if missing:
                raise InputError(
                    f"The label column {spec} has no value for {missing} photos; fill it in, or leave those photos out."
                )
        return _checked(spec, mine, theirs, len(values))
    if spec in tasks.NAMES:
        labels = [part.labels[:count].clamp(min=0) for part, count in parts]  # photos without one are one class
        return make_task(spec, (images[0], labels[0]), (images[1], labels[1]))
    raise UnknownNameError("attribute", spec, (*tasks.NAMES, *data.attributes, "FILE.csv:COLUMN", "class-of:FOLDER"))


def check_attribute(spec: str, columns: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse an attribute that cannot be, before anything is computed.

    Raises:
        InputError: a missing file or column.
        UnknownNameError: no such attribute.
    """
    table, column = _table_and_column(spec)
    if column is not None:
        _column(table, column)
    elif spec.startswith(_FOLDER):
        _folders(Path(spec.removeprefix(_FOLDER)).expanduser())
    elif spec not in tasks.NAMES and spec not in columns:
        known = (*tasks.NAMES, *columns, "FILE.csv:COLUMN", "class-of:FOLDER")
        raise UnknownNameError("attribute", spec, known)


def _table_and_column(spec: str) -> tuple[Path, str | None]:
    """FILE.csv:COLUMN -> both; anything else -> no column."""
    place, colon, column = spec.rpartition(":")
    if not colon or not place.lower().endswith((".csv", ".tsv")):
        if spec.lower().endswith((".csv", ".tsv")):
            raise InputError(f"--attribute {spec} names no column; write {spec}:COLUMN.")
        return Path(spec), None
    return Path(place).expanduser(), column


def _column(path: Path, column: str) -> dict[str, str]:
    """Read photo -> value."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a table with a header.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of comma-separated values ({error}); correct it.") from None
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise InputError(f"{path} holds no row under a header; give one row per photo.")
    header = [name.strip() for name in rows[0]]
    if column not in header:
        raise UnknownNameError(f"column of {path.name}", column, header)
    photo = next((name for name in _PHOTO_COLUMNS if name in header and name != column), header[0])
    if photo == column:
        raise InputError(f"{path} has the photos in column {photo}; name another column for the attribute.")
    at, where = header.index(column), header.index(photo)
    found: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise InputError(f"Line {number} of {path} has {len(row)} values for {len(header)} columns; correct it.")
        name, value = row[where].strip(), row[at].strip()
        if not value:
            raise InputError(f"Line {number} of {path} has no value for {column}; fill it in, or take the line out.")
        if found.setdefault(_key(name), value) != value:
            raise InputError(f"{path} gives {name} two values of {column}; give each photo one.")
    return found


def _folders(folder: Path) -> dict[str, str]:
    """Read photo -> name of the subfolder that it lies in."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; class-of: needs one with a subfolder per value.")
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*/**/*")):
        if path.is_file():
            value = path.relative_to(folder).parts[0]
            if found.setdefault(path.name, value) != value:
                raise InputError(f"{folder} has {path.name} in two subfolders, {found[path.name]} and {value}.")
    if not found:
        raise InputError(f"{folder} has no photo in a subfolder; make one subfolder per value.")
    return found


def _key(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).as_posix().removeprefix("./")


def _looked_up(name: str, values: Mapping[str, str], parts: list[tuple[Part, int]]) -> Task:
    find = _finder(name, values)
    photos = [photo_names(part, name)[:count] for part, count in parts]
    found = [[find(photo) for photo in part] for part in photos]
    _all_known(name, found, photos)
    kinds = sorted({value for part in found for value in part if value is not None})
    number = {value: index for index, value in enumerate(kinds)}
    mine, theirs = (torch.tensor([number[value or ""] for value in part]) for part in found)
    return _checked(name, mine, theirs, len(kinds))


def _finder(name: str, values: Mapping[str, str]) -> Callable[[str], str | None]:
    """Look a photo up by its path, or by the end of its path, or by its file name where only one photo has it."""
    by_file: dict[str, set[str]] = {}
    for key, value in values.items():
        by_file.setdefault(PurePosixPath(key).name, set()).add(value)

    def find(photo: str) -> str | None:
        parts = PurePosixPath(_key(photo)).parts
        for start in range(len(parts)):
            value = values.get("/".join(parts[start:]))
            if value is not None:
                return value
        told = by_file.get(parts[-1], set())
        if len(told) > 1:
            raise InputError(f"{name} has several files named {parts[-1]} with different values; give their paths.")
        return next(iter(told), None)

    return find


def _all_known(name: str, found: list[list[str | None]], photos: list[list[str]]) -> None:
    missing = [
        photo for part, said in zip(photos, found, strict=True) for photo, value in zip(part, said, strict=True)
        if value is None
    ]  # fmt: skip
    if missing:
        total = sum(len(part) for part in photos)
        raise InputError(
            f"{name} has no value for {len(missing)} of {total} photos, such as "
            f"{', '.join(missing[:_NAMED])}; give every photo of the data a value."
        )


def photo_names(part: Part, what: str) -> list[str]:
    """Names of a part's photos, as its data set has them.

    Raises:
        InputError: the data set has no files.
    """
    photos = part.photos
    if not isinstance(photos, LazyImages):
        raise InputError(f"{what} names files, and this data set has none; use a folder: or csv: data set.")
    names = photos.dataset.table.names
    return [names[index] for index in photos.photos.tolist()]


def _checked(name: str, train: Tensor, test: Tensor, classes: int) -> Task:
    counts = Counter(test.tolist())
    if len(counts) < 2 or len(set(train.tolist())) < 2:
        raise InputError(f"{name} has only one value among these photos; an attribute needs at least two.")
    return task_of(name, train, test, classes)
