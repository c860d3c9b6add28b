"""What a command found in a data set, kept for the next command in the user's cache; a hint that may go at any time.

A file that changes twice within a tick of the clock keeps its stamp. So an index is kept only where no file had changed
for SETTLED seconds before the look; git trusts its index by the same rule (Documentation/technical/racy-git.txt).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from ._index import Index

#: seconds: coarser than the clock of any file system (FAT's is 2 s)
SETTLED = 3.0
_MOST = 8
#: raised when the same files would be judged otherwise
_REVISION = 1
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def rules() -> str:
    """What an index depends on beside the files: this module's revision, the decoder's, and who reads."""
    try:
        pillow = version("pillow")
    except PackageNotFoundError:
        pillow = ""
    return f"{_REVISION} {pillow} {os.geteuid() if hasattr(os, 'geteuid') else ''}"


def folder() -> Path | None:
    """Where indexes are kept: PRIPRO_PHOTO_CACHE, by default in the user's cache; None where that is set but empty."""
    said = os.environ.get("PRIPRO_PHOTO_CACHE")
    if said is not None:
        return Path(said) if said else None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pripro" / "photos"


def load(state: str) -> Index | None:
    """Return the index that was kept for this state of a data set, or None; a damaged file counts as none."""
    where = folder()
    if where is None:
        return None
    try:
        with (where / f"{state}.npz").open("rb") as file, np.load(file, allow_pickle=False) as kept:
            photos, digests = kept["photos"].astype(np.int64), kept["digests"]
            told = json.loads(kept["told"].tobytes())
        os.utime(where / f"{state}.npz")
    except _DAMAGED:
        return None
    whole = digests.dtype == np.uint8 and digests.shape == (len(photos), 32) and len(photos) > 0
    return Index(photos, digests, tuple(told)) if whole else None


def keep(state: str, found: Index) -> None:
    """Keep an index, written aside and renamed; the ones used least recently go. Does nothing where it cannot write."""
    where = folder()
    if where is None:
        return
    told = np.frombuffer(json.dumps(found.told).encode(), np.uint8)
    with contextlib.suppress(OSError):
        where.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=where, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, photos=found.photos, digests=found.digests, told=told)
            Path(aside).replace(where / f"{state}.npz")
        finally:
            Path(aside).unlink(missing_ok=True)
        for old in sorted(where.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)[_MOST:]:
            old.unlink(missing_ok=True)
