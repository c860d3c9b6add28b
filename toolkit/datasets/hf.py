"""hf:DIR_OR_NAME: a data set of Hugging Face `datasets`, saved to disk, or by name where the network is there."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, MissingExtraError
from .base import PART_NAMES, UNSAID, Attribute, Bytes, Dataset, Names, Numbers, Table
from .csv import coded

#: NAME or OWNER/NAME
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_LABELS = ("label", "labels", "fine_label", "class")


class Hf(Dataset):
    """Photos stay in the Arrow files, memory-mapped; other columns of words or whole numbers are attributes."""

    place = "DIR_OR_NAME"
    needs = {"datasets": "hf"}  # noqa: RUF012 (declared ClassVar in the base)

    def __init__(self, place: str, splits: list[str], image: str, table: Table, starts: list[int]) -> None:
        self._place = place
        self._splits = splits
        self._image = image
        self._table = table
        self._starts = starts

    @classmethod
    def open(cls, place: str) -> Hf:
        """Open every split, and read every column but the photos."""
        sets = _opened(place)
        first = next(iter(sets.values()))
        kinds = first.features
        image = next((name for name, kind in kinds.items() if type(kind).__name__ == "Image"), None)
        if image is None:
            raise InputError(
                f"hf:{place} has no column of images (its columns: {', '.join(kinds)}); cast the photos to "
                "datasets.Image()."
            )
        splits = list(sets)
        sizes = [len(sets[name]) for name in splits]
        label = next((name for name in _LABELS if name in kinds), None)
        columns = {
            name: _column(sets, name, kinds[name])
            for name in kinds
            if name != image and getattr(kinds[name], "dtype", "") in ("string", "int64", "int32", "bool")
        }
        said = columns.pop(label, None) if label is not None else None
        names = Names(f"{split}[{index}]" for split, size in zip(splits, sizes, strict=True) for index in range(size))
        count = sum(sizes)
        parts = np.repeat([PART_NAMES.get(name, UNSAID) for name in splits], sizes).astype(np.uint8)
        labels: Numbers = np.full(count, -1, np.int32) if said is None else said.codes
        table = Table(() if said is None else said.values, names, labels, parts, columns)
        return cls(place, splits, image, table, [0, *np.cumsum(sizes).tolist()])

    @property
    def table(self) -> Table:
        """Names are split[row]."""
        return self._table

    def read(self, index: int) -> bytes | Bytes:
        """The photo's own bytes, as they were put in."""
        split = next(number for number, start in enumerate(self._starts[1:]) if index < start)
        row = _undecoded(self._place, self._splits[split], self._image)[index - self._starts[split]][self._image]
        if row is None:
            raise OSError("no photo in this row")
        data: bytes = row["bytes"] if row["bytes"] is not None else Path(row["path"]).read_bytes()
        return data

    def stamp(self, index: int) -> tuple[int, ...] | None:
        """The row: the Arrow files stay open in this process, and nobody writes into them."""
        return (id(_opened(self._place)), index)


@functools.lru_cache(maxsize=4)
def _opened(place: str) -> dict[str, Any]:
    try:
        import datasets
    except ModuleNotFoundError:
        raise MissingExtraError("datasets", "hf", "A data set of Hugging Face") from None
    folder = Path(place).expanduser()
    if not folder.is_dir() and not _NAME.fullmatch(place):
        raise InputError(f"There is no folder {folder}; --data hf:DIR needs one that save_to_disk wrote.")
    try:
        found = datasets.load_from_disk(str(folder)) if folder.is_dir() else datasets.load_dataset(place)
    except Exception as error:  # of a library with errors of a dozen libraries of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"hf:{place} cannot be opened ({first[:120]}); give a folder written by save_to_disk, or a name where the "
            "network is there."
        ) from None
    return dict(found) if isinstance(found, dict) else {"all": found}


@functools.lru_cache(maxsize=8)
def _undecoded(place: str, split: str, image: str) -> Any:  # noqa: ANN401 (a library's own type)
    import datasets

    return _opened(place)[split].select_columns([image]).cast_column(image, datasets.Image(decode=False))


def _column(sets: dict[str, Any], name: str, kind: Any) -> Attribute:  # noqa: ANN401 (a library's own type)
    values = [value for found in sets.values() for value in found[name][:]]
    if type(kind).__name__ == "ClassLabel":
        return Attribute(tuple(kind.names), np.array([-1 if v is None else v for v in values], np.int32))
    return coded(["" if value is None else str(value) for value in values])
