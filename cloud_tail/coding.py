"""How a waist's values become bytes: the affine codes, their frequency tables and the padded length.

    {"coder":"rans-1","table_id":<16 hex>,"precision_bits":14,"levels":[16,...],"scale":[0.25,...],
     "zero_point":[8,...],"tables":[[12,40,...],...],"pad_bytes":null}

The same object stands in the bundle's manifest and in the archive's signature.json.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Sequence

CODER = "rans-1"
PRECISION_BITS = 14
#: what the frequencies of one table sum to
TOTAL = 1 << PRECISION_BITS
_KEYS = ("coder", "table_id", "precision_bits", "levels", "scale", "zero_point", "tables", "pad_bytes")
_MAX_PAD = 1 << 20


@dataclass(frozen=True)
class Coding:
    """How the values of a waist are quantised and entropy-coded; every list has one entry per channel.

    Attributes:
        table_id: names the tables; every message carries it, so that it is never decoded with other tables.
        levels: number of codes, 2 to 256; code = round(value / scale) + zero_point, clipped to 0..levels - 1.
        scale: step of the codes. zero_point: the code that stands for 0.0.
        tables: how often each code occurs, as integers that are at least 1 and sum to 2^14.
        pad_bytes: the length of every message, or None: each is as long as its content needs.
        coder: name of the byte format. precision_bits: 14 in this format.

    Raises:
        ArchiveError: a list does not fit the others, or a table is not valid.
    """

    table_id: str
    levels: tuple[int, ...]
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    tables: tuple[tuple[int, ...], ...]
    pad_bytes: int | None = None
    coder: str = CODER
    precision_bits: int = PRECISION_BITS

    def __post_init__(self) -> None:
        """Refuse a coding that no tail can decode."""
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, keys in the documented order."""
        return {key: getattr(self, key) for key in _KEYS}

    @classmethod
    def from_dict(cls, raw: Any) -> Coding:  # noqa: ANN401  # anything that JSON can hold
        """Read the JSON object.

        Raises:
            ArchiveError: it does not follow this schema.
        """
        _need(isinstance(raw, dict) and set(raw) == set(_KEYS), f"coding must have the keys {', '.join(_KEYS)}")
        for key in ("levels", "zero_point", "tables", "scale"):
            _need(isinstance(raw[key], list), f"coding's {key} must be a list")
        _need(all(isinstance(table, list) for table in raw["tables"]), "a table must be a list of integers")
        _need(all(type(step) in (int, float) for step in raw["scale"]), "coding's scale must be a list of numbers")
        return cls(
            table_id=raw["table_id"],
            levels=tuple(raw["levels"]),
            scale=tuple(raw["scale"]),
            zero_point=tuple(raw["zero_point"]),
            tables=tuple(tuple(table) for table in raw["tables"]),
            pad_bytes=raw["pad_bytes"],
            coder=raw["coder"],
            precision_bits=raw["precision_bits"],
        )


def table_id(tables: Sequence[Sequence[int]]) -> str:
    """Return the tables' name: the first 8 bytes of the SHA-256 of their JSON without blanks, as 16 hex digits."""
    text = json.dumps([list(table) for table in tables], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def frequencies(weights: Sequence[float]) -> tuple[int, ...]:
    """Turn counts or probabilities into a table: integers of at least 1 that sum to 2^14.

    Units move one at a time to where they shorten the expected message most.

    Args:
        weights: how often each code occurred, 2 to 256 numbers that are not negative; not all zero.

    Raises:
        ArchiveError: the weights cannot be turned into a table.
    """
    weights = [float(weight) for weight in weights]
    total = sum(weights)
    _need(2 <= len(weights) <= 256, "a table has 2 to 256 codes")
    _need(math.isfinite(total) and total > 0 and min(weights) >= 0, "a table needs counts that are not negative")
    share = [weight / total * TOTAL for weight in weights]
    table = [max(1, int(part)) for part in share]
    while (missing := TOTAL - sum(table)) != 0:
        if missing > 0:
            best = max(range(len(table)), key=lambda code: share[code] * math.log1p(1 / table[code]))
            table[best] += 1
        else:
            shrinkable = (code for code in range(len(table)) if table[code] > 1)
            best = min(shrinkable, key=lambda code: -share[code] * math.log1p(-1 / table[code]))
            table[best] -= 1
    return tuple(table)


def _need(holds: bool, sentence: str) -> None:
    if not holds:
        raise ArchiveError(f"The coding is not valid: {sentence}; protect and package the bundle again.")


def _check(coding: Coding) -> None:
    _need(coding.coder == CODER, f"coder must be {CODER}, the only one known here")
    _need(coding.precision_bits == PRECISION_BITS, f"precision_bits must be {PRECISION_BITS}")
    channels = len(coding.tables)
    _need(channels > 0, "it has no table")
    for name in ("levels", "scale", "zero_point"):
        _need(len(getattr(coding, name)) == channels, f"{name} and tables must have one entry per channel")
    for table, levels, zero in zip(coding.tables, coding.levels, coding.zero_point, strict=True):
        _need(all(type(value) is int for value in (levels, zero, *table)), "levels, zero_point and tables are integers")
        _need(2 <= levels <= 256 and len(table) == levels, "a table must have as many entries as its levels, 2 to 256")
        _need(min(table) >= 1 and sum(table) == TOTAL, f"a table's entries must be at least 1 and sum to {TOTAL}")
        _need(0 <= zero < levels, "a zero_point must lie in 0..levels - 1")
    _need(
        all(math.isfinite(step) and 1e-30 < step < 1e30 for step in coding.scale), "a scale must be a positive number"
    )
    _need(coding.table_id == table_id(coding.tables), "table_id does not belong to these tables")
    pad = coding.pad_bytes
    _need(pad is None or (type(pad) is int and 3 <= pad <= _MAX_PAD), "pad_bytes must be null or at least 3")
