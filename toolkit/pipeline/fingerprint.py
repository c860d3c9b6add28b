"""Fingerprints: hashes of everything that a stage's result depends on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ..bundle import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from ..bundle import Bundle


def fingerprint(*parts: Any) -> str:  # noqa: ANN401 (settings of any stage)
    """Hash whatever a stage depends on: settings, other fingerprints, hashes of files."""
    plain = [part.model_dump(mode="json") if hasattr(part, "model_dump") else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


def content_of(path: Path | None) -> str | None:
    """Hash what a path holds, so that an edited file is seen; None where there is nothing."""
    if path is None or not path.exists():
        return None
    if path.is_file():
        return sha256_of(path)
    return fingerprint([(entry.name, sha256_of(entry)) for entry in sorted(path.glob("*")) if entry.is_file()])


def files_of(bundle: Bundle) -> str:
    """Hash the bundle's identity and every file of it: what a report about it is tied to."""
    return fingerprint(bundle.manifest.bundle_id, [ref.sha256 for ref in bundle.manifest.files()])
