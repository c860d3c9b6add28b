"""Does the running tail belong to the bundle at all? Asked once, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rows import Subject

if TYPE_CHECKING:
    from cloud_tail.client import TailClient

    from ..bundle import Bundle
    from ..records.parity import ParityRow


def tail_fault(bundle: Bundle, tail: TailClient) -> ParityRow | None:
    """Return a failed row that says why the tail cannot be this bundle's, or None."""
    served, manifest = tail.signature(), bundle.manifest
    crossing = manifest.smashed.shape
    plain = next((spec for spec in served.inputs if spec.dtype == "float32"), None)
    if plain is not None and list(plain.shape) != crossing:
        reason = (
            f"tail of another cut: it takes features {list(plain.shape)}, "
            f"the heads cut at {manifest.split.cut} give {crossing}"
        )
    elif served.bundle_id != manifest.bundle_id:
        reason = (
            f"stale bundle_id: the tail serves {served.bundle_id[:12]}, the heads are of {manifest.bundle_id[:12]}; "
            "package the tail again, or serve the archive that belongs to these heads"
        )
    else:
        return None
    return Subject("tail", "", "", "tail").row("end-to-end", "task", "same bundle", False, note=reason)
