"""Photos that have been looked at before: the stages of one command share a data set, and so do commands.

What is remembered holds as long as no file's size, times, or place on the disk has changed. In memory it is kept for
the two data sets that a command may have, the photos and others in their place; on the disk as _kept.py says.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from . import _kept
from ._index import Index, Progress, index_of
from .base import Dataset

_MOST = 2
#: (working folder, spec) -> the state in which the data set was, and what was found
_seen: OrderedDict[tuple[Path, str], tuple[str, Index]] = OrderedDict()


def seen_index(dataset: Dataset, spec: str, progress: Progress = lambda done, total, text: None) -> Index:
    """Index a data set; no photo is read again that was read before and that nobody has changed since.

    Raises:
        InputError: no photo can be read.
    """
    key = (Path.cwd(), spec)
    state = _state(dataset, key)  # first: a change while photos are read is seen next time
    if state is None:
        return index_of(dataset, spec, progress)
    known = _seen.get(key)
    found = known[1] if known is not None and known[0] == state.digest else None
    if found is None and dataset.lasting_stamps:
        found = _kept.load(state.digest)
    if found is not None:
        count = len(dataset.table.names)
        progress(count, count, f"looked at {count:,} photos before")
    else:
        found = index_of(dataset, spec, progress)
        if state.settled and not any(
            "unreadable" in sentence for sentence in found.told
        ):  # it may be readable next time
            _kept.keep(state.digest, found)
    _seen[key] = (state.digest, found)
    _seen.move_to_end(key)
    while len(_seen) > _MOST:
        _seen.popitem(last=False)
    return found


@dataclass
class _State:
    """SHA-256 of all that an index depends on; whether later changes are sure to show in the files' stamps."""

    digest: str
    settled: bool


def _state(dataset: Dataset, key: tuple[Path, str]) -> _State | None:
    """Sum up a data set, its content by the photos' stamps; None where these are not told."""
    table, now, newest = dataset.table, time.time(), 0
    said = repr((_kept.rules(), key, type(dataset).__qualname__, sorted(table.left_out.items())))
    hashed = hashlib.sha256(said.encode("utf-8", "surrogateescape"))
    hashed.update(table.labels.tobytes())
    hashed.update(table.parts.tobytes())
    for index in range(len(table.names)):
        try:
            stamp = dataset.stamp(index)
        except OSError as error:  # reading will fail alike
            stamp = (error.errno or 0, 1 << 80)  # and its reason may go without a trace: never settled
        if stamp is None:
            return None
        newest = max(newest, *stamp[1:3], 0)
        hashed.update(f"{table.names[index]!r}{stamp}".encode("utf-8", "surrogateescape"))
    settled = dataset.lasting_stamps and newest < (now - _kept.SETTLED) * 1e9
    return _State(hashed.hexdigest(), settled)
