"""CIFAR-10 and CIFAR-100 as torchvision reads them: its checksums are checked before a file is unpickled."""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import InputError
from ._vision import torchvision
from .base import Bytes
from .folder import existing_folder


def read_cifar(kind: str, place: str) -> tuple[Bytes, list[int], tuple[str, ...], int]:
    """Pixels [60000,32,32,3], labels, classes, and how many come first and are for training.

    Raises:
        InputError: no such folder, or no complete data set in it.
    """
    folder = existing_folder(place, kind)
    datasets = torchvision().datasets
    build = datasets.CIFAR10 if kind == "cifar10" else datasets.CIFAR100
    try:
        with warnings.catch_warnings():
            # numpy 2.4 warns about the format of the authors' own pickles
            warnings.simplefilter("ignore")
            train, test = build(folder, train=True), build(folder, train=False)
    except RuntimeError:
        raise InputError(
            f"{folder} holds no complete {kind} in torchvision's on-disk format; unpack the python version of the "
            "data set there."
        ) from None
    pixels = np.concatenate([train.data, test.data])
    return pixels, [*train.targets, *test.targets], tuple(train.classes), len(train.data)
