"""python -m toolkit.cli.demo.waist: the demo's network behind a waist; what crosses, beside the photo's own files."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .._console import show_table
from ..main import guarded
from ..protect import certified
from .__main__ import play

if TYPE_CHECKING:
    from ...bundle import Bundle

CONFIG = Path(__file__).parent / "waist.toml"
_PHOTOS = 300
_JPEG_QUALITY = 75


def file_sizes(bundle: Bundle) -> dict[str, float]:
    """Mean bytes of the test photos as files: {"PNG": ..., "JPEG": ...}."""
    import numpy as np
    from PIL import Image

    from ...datasets._data import load_data
    from ...protect.describe import in_unit

    manifest = bundle.manifest
    photos = load_data("digits", manifest.preprocess).test.photos[:_PHOTOS]
    pixels = (255 * in_unit(photos, manifest.preprocess)[:, 0]).round().byte().numpy()
    kinds: dict[str, dict[str, int | bool]] = {"PNG": {"optimize": True}, "JPEG": {"quality": _JPEG_QUALITY}}
    found = {}
    for name, options in kinds.items():
        sizes = []
        for photo in pixels:
            file = io.BytesIO()
            Image.fromarray(photo).save(file, name, **options)
            sizes.append(len(file.getvalue()))
        found[name] = float(np.mean(sizes))
    return found


def show(bundle: Bundle) -> None:
    """Print bytes beside PNG and JPEG, PI at one look and at ten, and the certificate."""
    from ...records.privacy import PrivacyReport

    record = bundle.manifest.protection
    if record is None:
        return
    rows = certified(record)
    rows += [(f"the photo as {name}, mean", f"{size:.0f} bytes") for name, size in file_sizes(bundle).items()]
    report = bundle.newest_report(PrivacyReport)
    attacks = [] if report is None else report.rows
    for looks in sorted({row.observations for row in attacks}):
        pis = [row.pi for row in attacks if row.observations == looks and row.pi is not None]
        rows += [(f"PI, {'one look' if looks == 1 else f'{looks} looks'}", f"{min(pis):.3f}")] if pis else []
    show_table(("waist", ">value"), rows)


def _demo() -> None:
    show(play(CONFIG))


if __name__ == "__main__":
    sys.exit(guarded(_demo))
