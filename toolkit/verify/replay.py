"""The bundle's goldens as arrays, and a head's answers to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from ..errors import BundleError
from ..package.cases import PHOTO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ..bundle import Bundle

    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class Goldens:
    """The bundle's replayed inputs and eager torch's answers, as numpy arrays by name.

    Attributes:
        inputs: image [n,C,H,W], and eps, eps_other [n,...] where the head takes noise.
        expected: smashed [n,c,h,w], logits [n,K], label [n] (-1: unknown).
        rows: what each row is, see cases.py.
    """

    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]
    rows: Sequence[str]

    @property
    def smashed(self) -> Array:
        """What eager torch answers [n,c,h,w]."""
        return self.expected["smashed"]

    @property
    def noisy(self) -> bool:
        """Whether the head takes eps."""
        return "eps" in self.inputs

    def real(self) -> list[int]:
        """Indices of the real images."""
        return [index for index, row in enumerate(self.rows) if row == PHOTO]

    def hard(self) -> list[int]:
        """Indices of the rows that are chosen to be hard."""
        return [index for index, row in enumerate(self.rows) if row != PHOTO]

    def find(self, row: str) -> int | None:
        """Index of the first row of that name, or None in goldens that lack it."""
        return self.rows.index(row) if row in self.rows else None

    def all_of(self, row: str) -> list[int]:
        """Indices of the rows of that name, in order."""
        return [index for index, name in enumerate(self.rows) if name == row]

    def feed(self, index: int) -> dict[str, Array]:
        """One head's inputs, batch 1."""
        names = ("image", "eps") if self.noisy else ("image",)
        return {name: self.inputs[name][index : index + 1] for name in names}

    def take(self, indices: Sequence[int]) -> Goldens:
        """Only these rows, in this order."""
        rows = list(indices)
        return Goldens(
            {name: value[rows] for name, value in self.inputs.items()},
            {name: value[rows] for name, value in self.expected.items()},
            [self.rows[index] for index in rows],
        )

    def replay(self, run: Callable[[dict[str, Array]], Array]) -> Array:
        """Answers of a head to every row [n,c,h,w]."""
        return np.concatenate([run(self.feed(index)) for index in range(len(self.rows))])


def load_goldens(bundle: Bundle) -> Goldens:
    """Read a bundle's goldens.

    Raises:
        BundleError: the bundle is not packaged yet.
    """
    golden = bundle.manifest.golden
    if golden is None:
        raise BundleError(f"{bundle.root} has no goldens yet; run: pripro package {bundle.root}")
    return read_goldens(bundle.path(golden.inputs), bundle.path(golden.expected))


def read_goldens(inputs: Path, expected: Path) -> Goldens:
    """Read the two files of some goldens; rows without a name are real images."""
    with safe_open(inputs, "numpy") as stream:
        metadata = stream.metadata() or {}
    arrays = load_file(inputs)
    rows = json.loads(metadata["rows"]) if "rows" in metadata else [PHOTO] * len(arrays["image"])
    return Goldens(arrays, load_file(expected), rows)
