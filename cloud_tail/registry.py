"""What is loaded: each archive with its engine and queue, by name; two bundles may share a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .archive import Archive
from .errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .batcher import Batcher
    from .signature import Signature


@dataclass(frozen=True)
class Served:
    """One loaded tail."""

    signature: Signature
    digest: str
    engine: str
    precision: str
    batcher: Batcher


class Registry:
    """The loaded tails; the last one under a name answers those who name no bundle."""

    def __init__(self) -> None:
        self._names: dict[str, list[Served]] = {}

    def add(self, served: Served) -> None:
        """Add one; its name and bundle must not both be there already."""
        self._names.setdefault(served.signature.name, []).append(served)

    def find(self, name: str, version: str = "") -> list[Served]:
        """All tails of that name (and version, unless empty), newest last; empty where there is none."""
        return [served for served in self._names.get(name, ()) if version in ("", served.signature.version)]

    def __iter__(self) -> Iterator[Served]:
        return (served for tails in self._names.values() for served in tails)

    def names(self) -> list[str]:
        """The names in the order in which they came."""
        return list(self._names)


def refuse_doubles(archives: list[Archive]) -> None:
    """Two archives may share a name only if their bundles differ.

    Raises:
        ArchiveError: the same name and bundle twice.
    """
    seen = set()
    for archive in archives:
        key = archive.signature.name, archive.signature.bundle_id
        if key in seen:
            raise ArchiveError(f"The tail {key[0]} of bundle {key[1]} is given twice; name each archive once.")
        seen.add(key)
