"""Which report is still true: reports are tied to the exact files that they are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from ..bundle import write_atomically
from ..records.latency import LatencyReport
from ..records.parity import ParityReport
from .build import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from ..bundle import Bundle

Report = TypeVar("Report", ParityReport, LatencyReport)


def still_true(bundle: Bundle, kind: type[Report], *settings: object) -> Report | None:
    """Return the kept report of that kind if heads, tail, goldens and settings are what it was made from."""
    entry = _index(bundle).get(_name(kind))
    if not isinstance(entry, dict) or entry.get("stamp") != _stamp(bundle, settings):
        return None
    try:
        return kind.model_validate_json((bundle.root / "reports" / entry["file"]).read_bytes())
    except (OSError, ValidationError, KeyError, TypeError):
        return None


def remember(bundle: Bundle, kind: type[Report], file: Path, *settings: object) -> None:
    """Note that a report file is about the bundle as it is now."""
    index = _index(bundle) | {_name(kind): {"stamp": _stamp(bundle, settings), "file": file.name}}
    write_atomically(_place(bundle), json.dumps(index, indent=2).encode())


def _name(kind: type[Report]) -> str:
    return kind.__name__


def _place(bundle: Bundle) -> Path:
    return bundle.root / "reports" / ".current.json"


def _index(bundle: Bundle) -> dict[str, object]:
    try:
        index = json.loads(_place(bundle).read_bytes())
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def _stamp(bundle: Bundle, settings: tuple[object, ...]) -> str:
    manifest = bundle.manifest
    return fingerprint(manifest.bundle_id, [ref.sha256 for ref in manifest.files()], *settings)
