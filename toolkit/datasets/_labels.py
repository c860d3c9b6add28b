"""A data set's classes and the network's, paired by name, never by alphabetical order alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from .base import Numbers

_MOST_SHOWN = 12


def pair(classes: Sequence[str], labels: Sequence[str] | None, spec: str) -> tuple[tuple[str, ...], Numbers]:
    """Say which of the network's classes each of a data set's classes is.

    Names are compared without case, with spaces, '_' and '-' as equal, and numbers by their value. Only where the
    network's classes have no names, but the numbers 0, 1, 2, ... of `pripro partition` without --labels, and the
    data's are no numbers, is the data's own order taken: that of its training, for whoever trained on sorted folders.

    Args:
        classes: the data set's, in its own order; empty where it has no labels.
        labels: the network's, in its order; None or none (its answers are no classes): the data set's own.
        spec: for messages.

    Returns:
        the classes' names in the network's order, and [len(classes)] the index there of each of `classes`.

    Raises:
        InputError: the names do not fit; shows both lists.
    """
    if not labels or not classes:
        return tuple(labels if labels and not classes else classes), np.arange(len(classes), dtype=np.int32)
    if list(classes) == list(labels):  # ImageNet has two classes named crane: in the same order they still fit
        return tuple(labels), np.arange(len(classes), dtype=np.int32)
    known: dict[str, int] = {_plain(label): index for index, label in enumerate(labels)}
    wanted = [_plain(name) for name in classes]
    if len(known) == len(labels) and set(wanted) <= known.keys():
        return tuple(labels), np.array([known[name] for name in wanted], np.int32)
    unnamed = [_plain(label) for label in labels] == [str(index) for index in range(len(labels))]
    if unnamed and len(classes) == len(labels) and not all(name.isdecimal() for name in wanted):
        return tuple(classes), np.arange(len(classes), dtype=np.int32)
    raise InputError(
        f"The classes of {spec} are not the network's, so which is which cannot be known: {len(classes)} in the data "
        f"({_shown(classes)}), {len(labels)} in the network ({_shown(labels)}); give the data that the network was "
        "trained for, name its classes as the network's, or make the bundle again with --labels in the network's order."
    )


def _plain(name: str) -> str:
    plain = " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
    return str(int(plain)) if plain.isdecimal() else plain


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
