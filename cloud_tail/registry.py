"""The loaded tails: each with its engine and queue, by name; two bundles may share a name."""

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
    """The loaded tails; the last one of a name answers requests that name no bundle."""

    def __init__(self) -> None:
        self._names: dict[str, list[Served]] = {}

    def add(self, served: Served) -> None:
        """Add one; no loaded tail may have the same name and the same bundle."""
        self._names.setdefault(served.signature.name, []).append(served)

    def find(self, name: str, version: str = "") -> list[Served]:
        """All tails of that name (and version, unless empty), newest last."""
        return [served for served in self._names.get(name, ()) if version in ("", served.signature.version)]

    def __iter__(self) -> Iterator[Served]:
        return (served for tails in self._names.values() for served in tails)

    def names(self) -> list[str]:
        """The names in the order in which they were added."""
        return list(self._names)


def refuse_doubles(archives: list[Archive]) -> None:
    """Refuse two archives with the same name and the same bundle.

    Raises:
        ArchiveError: two archives have the same name and bundle.
    """
    seen = set()
    for archive in archives:
        key = archive.signature.name, archive.signature.bundle_id
        if key in seen:
            raise ArchiveError(f"The tail {key[0]} of bundle {key[1]} is given twice; name each archive once.")
        seen.add(key)
