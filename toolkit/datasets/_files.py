"""Photo files in folders: which count, which are left out, and links that lead back to where they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError

#: what Pillow reads of what people keep photos in
PHOTO_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".avif",
    )
)
#: photos too, but in formats that nothing here decodes
FOREIGN_SUFFIXES = frozenset((".heic", ".heif", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".jxl", ".svg", ".psd"))
#: left by systems beside people's own files
_SYSTEM = frozenset(("thumbs.db", "desktop.ini", "__macosx"))


class LeftOut:
    """Why files were left out: reason -> how many, and the first one's name."""

    def __init__(self) -> None:
        self.reasons: dict[str, tuple[int, str]] = {}

    def add(self, reason: str, name: str, count: int = 1) -> None:
        """Count one more (or `count` more)."""
        known, first = self.reasons.get(reason, (0, name))
        self.reasons[reason] = (known + count, first)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is a system's own and no photo (`.DS_Store`, AppleDouble's `._0.png`, Thumbs.db)."""
    return name.startswith(".") or name.lower() in _SYSTEM


def photo_files(folder: Path, left_out: LeftOut, *, above: Path | None = None) -> Iterator[str]:
    """Walk a folder's photos, sorted by name, links followed; paths are relative to `folder`, with '/'.

    Args:
        folder: where to begin.
        left_out: counts what is passed over.
        above: the data set's own folder, where `folder` is inside of it: a link may not lead back there either.

    Raises:
        InputError: a link leads to a folder that it is in.
    """
    yield from _walk(folder, "", () if above is None else (_identity(above),), left_out)


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...], left_out: LeftOut) -> Iterator[str]:
    here = _identity(folder)
    if here in above:
        raise InputError(
            f"{folder} is a link back to a folder that it is in, so its photos would be found without end; "
            "remove that link."
        )
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        if is_hidden(entry.name):
            left_out.add("hidden or a system's own", name)
        elif entry.is_dir():
            yield from _walk(Path(entry.path), name + "/", (*above, here), left_out)
        elif _suffix(entry.name) in FOREIGN_SUFFIXES:
            left_out.add(f"in a format that is not read here ({_suffix(entry.name)})", name)
        elif _suffix(entry.name) not in PHOTO_SUFFIXES:
            left_out.add("not a photo by its name", name)
        elif not entry.is_file():
            left_out.add("a link to nothing" if entry.is_symlink() else "no regular file", name)
        else:
            yield name


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (of a name, a million times)
