"""Looks at every photo of a data set once: the hash of its content, and whether it can be read.

A photo is its content. Its part follows from its hash alone, so neither its name nor its neighbours move it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ._photo import NotAPhotoError, check_photo
from ._work import mapped, worker_count
from .base import Bytes, Chunk, Dataset

_log = logging.getLogger("pripro")
_CHUNK = 64
#: sentences that this process has said already
_said: set[str] = set()
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Index:
    """What is in a data set.

    Attributes:
        photos: [M] indices of the readable, different photos, in the order of their hashes.
        digests: [M,32] their SHA-256.
        told: sentences about files that were left out or are odd.
    """

    photos: Chunk
    digests: Bytes
    told: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 over the sorted hashes in hex, one a line: the same for the same photos, whatever they are called."""
        lines = "\n".join(digest.tobytes().hex() for digest in self.digests)
        return hashlib.sha256(lines.encode()).hexdigest()


def index_of(dataset: Dataset, spec: str, progress: Progress = lambda done, total, text: None) -> Index:
    """Read every photo once.

    Raises:
        InputError: none can be read.
    """
    count = len(dataset.table.names)
    chunks = np.split(np.arange(count), range(_CHUNK, count, _CHUNK)) if count else []
    digests, readable = np.zeros((count, 32), np.uint8), np.zeros(count, bool)
    left_out, odd = dict(dataset.table.left_out), dict[str, tuple[int, str]]()
    done = 0
    workers = 0 if dataset.in_memory else worker_count(count)
    for chunk, looked in zip(chunks, mapped(_Look(dataset), chunks, workers), strict=True):
        digests[chunk], readable[chunk] = looked.digests, looked.readable
        for place, reasons in ((left_out, looked.left_out), (odd, looked.odd)):
            for reason, (number, first) in reasons.items():
                _count(place, reason, first, number)
        done += len(chunk)
        progress(done, count, f"looking at {count:,} photos")
    kept = _different(dataset, digests, np.flatnonzero(readable), left_out)
    told = _sentences(spec, left_out, odd)
    if not len(kept):
        raise InputError(" ".join([f"No photo of {spec} can be read; give a data set with photos.", *told[:1]]))
    return Index(kept, np.ascontiguousarray(digests[kept]), tuple(told))


def tell(sentences: tuple[str, ...]) -> None:
    """Say each sentence once in this process, on stderr unless a program that uses the library decides otherwise."""
    for sentence in sentences:
        if sentence not in _said:
            _said.add(sentence)
            _log.warning(sentence)


@dataclass
class _Looked:
    digests: Bytes
    readable: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    left_out: dict[str, tuple[int, str]]
    odd: dict[str, tuple[int, str]]


class _Look:
    """Look at one chunk of photos; runs in worker processes."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __call__(self, chunk: Chunk) -> _Looked:
        looked = _Looked(np.zeros((len(chunk), 32), np.uint8), np.zeros(len(chunk), bool), {}, {})
        for row, index in enumerate(chunk.tolist()):
            name = self._dataset.table.names[index]
            try:
                content = self._dataset.read(index)
                for reason in check_photo(content) if isinstance(content, bytes) else ():
                    _count(looked.odd, reason, name)
            except NotAPhotoError as error:
                _count(looked.left_out, str(error), name)
                continue
            except OSError as error:
                _count(looked.left_out, f"unreadable ({error.strerror or error})", name)
                continue
            data = content if isinstance(content, bytes) else np.ascontiguousarray(content).tobytes()
            looked.digests[row] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
            looked.readable[row] = True
        return looked


def _count(reasons: dict[str, tuple[int, str]], reason: str, name: str, count: int = 1) -> None:
    known, first = reasons.get(reason, (0, name))
    reasons[reason] = (known + count, first)


def _different(dataset: Dataset, digests: Bytes, readable: Chunk, left_out: dict[str, tuple[int, str]]) -> Chunk:
    """Indices of one photo per content, in the order of the hashes; a content that is in two classes is in none."""
    if not len(readable):
        return readable
    order = readable[np.lexsort(digests[readable].view(">u8").T[::-1])]
    starts = np.flatnonzero(np.r_[True, (digests[order][1:] != digests[order][:-1]).any(1)])
    labels = dataset.table.labels[order]
    unlike = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts)
    sizes = np.diff(np.r_[starts, len(order)])
    for start, size in zip(starts[unlike], sizes[unlike], strict=True):
        _count(left_out, "in two classes at once", dataset.table.names[int(order[start])], int(size))
    for start, size in zip(starts[~unlike & (sizes > 1)], sizes[~unlike & (sizes > 1)], strict=True):
        _count(left_out, "an exact copy of another", dataset.table.names[int(order[start + 1])], int(size) - 1)
    kept = starts[~unlike]
    # of copies the first by its place, whose part the data set itself may have said: test before train
    best: Chunk = np.array(
        [_chosen(dataset, order[start : start + size]) for start, size in zip(kept, sizes[~unlike], strict=True)],
        np.int64,
    )
    return best


def _chosen(dataset: Dataset, copies: Chunk) -> int:
    """Of exact copies, the one that is said to be farthest from training: what is tested on is never trained on."""
    return (
        int(copies[0]) if len(copies) == 1 else int(min(copies, key=lambda i: (-int(dataset.table.parts[i]), int(i))))
    )


def _sentences(spec: str, left_out: dict[str, tuple[int, str]], odd: dict[str, tuple[int, str]]) -> list[str]:
    said = []
    for reasons, intro in ((left_out, "left out"), (odd, "taken, but odd")):
        if reasons:
            total = sum(number for number, _ in reasons.values())
            parts = [f"{number} {reason} (first: {first})" for reason, (number, first) in sorted(reasons.items())]
            noun = "file" if intro == "left out" else "photo"
            said.append(f"{spec}: {total} {noun}{'s' if total > 1 else ''} {intro}: {'; '.join(parts)}.")
    return said
