"""cifar10:DIR: CIFAR-10 in the python version's own files, 32 x 32, its test images kept for the test part."""

from __future__ import annotations

from ._arrays import Arrays
from ._cifar import read_cifar


class Cifar10(Arrays):
    """50,000 images for training and 10,000 for the test, of 10 classes."""

    @classmethod
    def open(cls, place: str) -> Cifar10:
        """Read all of it."""
        return cls(*read_cifar("cifar10", place))
