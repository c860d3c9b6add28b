"""Photos that this process has looked at: the stages of one command share a data set, and hash each photo once.

What is remembered holds as long as no file's size, times, or place on the disk has changed; it is kept for the two data
sets that a command may have, the photos and others in their place.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path

from ._index import Index, Progress, index_of
from .base import Dataset

_MOST = 2
#: (working folder, spec) -> the state in which the data set was, and what was found
_seen: OrderedDict[tuple[Path, str], tuple[bytes, Index]] = OrderedDict()


def seen_index(dataset: Dataset, spec: str, progress: Progress = lambda done, total, text: None) -> Index:
    """Index a data set; no photo is read again that this process has read and nobody has changed.

    Raises:
        InputError: no photo can be read.
    """
    key, state = (
        (Path.cwd(), spec),
        _state(dataset),
    )  # first: a change while photos are read is seen next time
    known = _seen.get(key)
    if state is not None and known is not None and known[0] == state:
        _seen.move_to_end(key)
        count = len(dataset.table.names)
        progress(count, count, f"looked at {count:,} photos before")
        return known[1]
    found = index_of(dataset, spec, progress)
    if state is not None:
        _seen[key] = (state, found)
        while len(_seen) > _MOST:
            _seen.popitem(last=False)
    return found


def _state(dataset: Dataset) -> bytes | None:
    """SHA-256 of all that an index depends on, content by the files' stamps; None where these are not told."""
    table = dataset.table
    hashed = hashlib.sha256(repr((type(dataset).__qualname__, sorted(table.left_out.items()))).encode())
    hashed.update(table.labels.tobytes())
    hashed.update(table.parts.tobytes())
    for index in range(len(table.names)):
        try:
            stamp = dataset.stamp(index)
        except OSError as error:  # reading will fail alike
            stamp = (error.errno or 0,)
        if stamp is None:
            return None
        hashed.update(f"{table.names[index]!r}{stamp}".encode("utf-8", "surrogateescape"))
    return hashed.digest()
