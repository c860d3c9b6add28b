"""Photos in four disjoint parts: victim-train, victim-val, attacker-train, test.

A protection learns from victim-train and is tuned on victim-val; an attacker learns from attacker-train;
every figure in a report comes from test. A photo's part follows from its content alone, so it stays where it is
when photos are added, moved or renamed, and no content is in two parts. Nothing is decoded before it is needed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import plugins
from ..errors import InputError, UnknownNameError
from ..records.bundle import DataRef
from ._division import ATTACKER_TRAIN, TESTED, VICTIM_TRAIN, VICTIM_VAL, divide
from ._index import Index, Progress, tell
from ._labels import pair
from ._lazy import LazyImages
from ._seen import seen_index
from .base import Dataset

if TYPE_CHECKING:
    from torch import Tensor

    from ..records.bundle import Preprocess

#: preprocessed photos that `Part.images` holds in memory at most
MOST_BYTES = 4 << 30
#: and that a training holds rather than decodes in every epoch
LARGE_BYTES = 512 << 20
_NAMES = {
    VICTIM_TRAIN: "victim-train", VICTIM_VAL: "victim-val", ATTACKER_TRAIN: "attacker-train", TESTED: "test"
}  # fmt: skip


class Part:
    """Photos of one part.

    Attributes:
        photos: [N,C,H,W], float32: slices, index tensors and `split` work as on a tensor, nothing else does. A
            LazyImages decodes what is asked for; a plain tensor is one too.
        labels: [N] class indices, int64; -1 where unlabelled.
        attributes: further columns of the data set, by name: [N] index into DataSplits.attributes[name], or -1.
    """

    def __init__(
        self, images: Tensor | LazyImages, labels: Tensor, attributes: Mapping[str, Tensor] | None = None
    ) -> None:
        self.photos = images
        self.labels = labels
        self.attributes = dict(attributes or {})

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def images(self) -> Tensor:
        """All photos at once [N,C,H,W], decoded on first use and kept; take `photos` where a part may be large.

        Raises:
            InputError: they would not fit into memory.
        """
        if isinstance(self.photos, torch.Tensor):
            return self.photos
        need = 4 * self.photos.shape.numel()
        if need > MOST_BYTES:
            raise InputError(
                f"{len(self):,} photos of {'x'.join(map(str, self.photos.shape[1:]))} take {need / 1e9:.0f} GB of "
                "memory at once, which this stage would need; give a smaller data set."
            )
        return self.photos[:]

    @property
    def is_large(self) -> bool:
        """Whether the photos are better decoded again and again than held."""
        return not isinstance(self.photos, torch.Tensor) and 4 * self.photos.shape.numel() > LARGE_BYTES

    def first(self, count: int) -> Part:
        """The first `count` photos: a random sample, the same at every call; not decoded yet."""
        photos = self.photos[:count] if isinstance(self.photos, torch.Tensor) else self.photos.first(count)
        return Part(photos, self.labels[:count], {name: codes[:count] for name, codes in self.attributes.items()})


@dataclass(frozen=True)
class DataSplits:
    """The four parts, the names of the classes, and which photos they are.

    Attributes:
        classes: in the order of `Part.labels`; empty where nothing is labelled.
        attributes: further columns, by name: the names of their values.
        ref: the data set by its content, for the manifest.
    """

    victim_train: Part
    victim_val: Part
    attacker_train: Part
    test: Part
    classes: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ref: DataRef | None = None


def load_data(
    spec: str,
    preprocess: Preprocess,
    *,
    labels: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total, text: None,
) -> DataSplits:
    """Open a data set and divide it; files that cannot be used are named once, on stderr.

    Args:
        spec: KIND:PLACE, such as `folder:photos`, or `digits`; the kinds are the files of this folder.
        preprocess: from the manifest.
        labels: the network's classes, in its order: the data set's classes are paired with them by name.
        limit: at most this many photos of all parts together, the same ones at every call.
        seed: of the division. The same seed always gives the same parts.
        progress: called while every photo is looked at.

    Raises:
        InputError: an unknown kind, a missing place, classes that do not fit `labels`, too few photos.
    """
    dataset = open_dataset(spec)
    found = _indexed(dataset, spec, progress)
    table = dataset.table
    paired, codes = pair(table.classes, labels, spec)
    said = table.parts[found.photos]
    parts, rank = divide(found.digests, said, seed)
    order = np.argsort(rank, kind="stable")[:limit]
    numbers = np.append(codes, -1)[table.labels].astype(np.int64)

    def part(number: int) -> Part:
        chosen = found.photos[order[parts[order] == number]]
        if not len(chosen):
            raise InputError(
                f"{spec} has {len(order)} different photos, too few: none of them falls into the part "
                f"{_NAMES[number]}; give a hundred or more."
            )
        further = {
            name: torch.from_numpy(column.codes[chosen].astype(np.int64)) for name, column in table.attributes.items()
        }
        return Part(LazyImages(dataset, chosen, preprocess), torch.from_numpy(numbers[chosen]), further)

    made = [part(number) for number in _NAMES]
    attributes = {name: column.values for name, column in table.attributes.items()}
    return DataSplits(made[0], made[1], made[2], made[3], paired, attributes, _ref(spec, found))


def open_dataset(spec: str) -> Dataset:
    """Find a data set's kind and open its place.

    Raises:
        InputError: an unknown kind, or nothing of that kind in that place.
    """
    import toolkit.datasets as folder

    kind, _, place = spec.partition(":")
    try:
        found = plugins.load(folder, "data set", kind, Dataset)  # type: ignore[type-abstract]
    except UnknownNameError:
        raise InputError(f"There is no data set {spec!r}; give one of: {kinds()}.") from None
    if found.place and not place:
        raise InputError(f"There is no data set {spec!r}; write {kind}:{found.place}.")
    return found.open(place)


def kinds() -> str:
    """List every kind as it is written: `csv:FILE, digits, folder:DIR, ...`."""
    import toolkit.datasets as folder

    found = {name: plugins.load(folder, "data set", name, Dataset) for name in plugins.names(folder)}  # type: ignore[type-abstract]
    return ", ".join(f"{name}:{kind.place}" if kind.place else name for name, kind in found.items())


def data_ref(spec: str) -> DataRef:
    """Identify a data set by its content: the photos as they are on the disk, whatever their order and names.

    Raises:
        InputError: an unknown kind or a missing folder.
    """
    return _ref(spec, _indexed(open_dataset(spec), spec, lambda done, total, text: None))


def load_photos(folder: Path, preprocess: Preprocess) -> Tensor:
    """Read every photo of a folder as [N,C,H,W], in the order of their names; use load_data where there may be many.

    Raises:
        InputError: no such folder, or no photo in it that can be read.
    """
    dataset = open_dataset(f"photos:{folder}")
    found = _indexed(dataset, f"photos:{folder}", lambda done, total, text: None)
    return LazyImages(dataset, np.sort(found.photos), preprocess)[:]


def _indexed(dataset: Dataset, spec: str, progress: Progress) -> Index:
    found = seen_index(dataset, spec, progress)
    tell(found.told)
    return found


def _ref(spec: str, found: Index) -> DataRef:
    return DataRef(spec=spec, digest=found.digest(), photos=len(found.photos))
