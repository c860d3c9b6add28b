"""Latency reports that phones wrote, taken in only where they belong to the bundle."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from ..bundle import Bundle
from ..errors import InputError
from ..records.bundle import REPORT_VERSION
from ..records.latency import LatencyReport

LARGEST_BYTES = 16 * 2**20


def read_device_report(path: Path, bundle: Bundle) -> LatencyReport:
    """Read and check a LatencyReport that a demo app or another tool wrote.

    Raises:
        InputError: not readable, not of the published schema, or of another bundle.
    """
    report = read_latency_report(path)
    if report.bundle_id != bundle.manifest.bundle_id:
        expected = bundle.manifest.bundle_id[:12]
        raise InputError(
            f"{path} belongs to the bundle {report.bundle_id[:12]}, not to {bundle.root} ({expected}); "
            "install this bundle's heads in the app and measure again."
        )
    return report


def read_latency_report(path: Path) -> LatencyReport:
    """Read a LatencyReport, of whatever bundle.

    Raises:
        InputError: not readable or not of the published schema.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(
                f"{path} is larger than {LARGEST_BYTES // 2**20} MiB, which no latency report is; "
                "give the app's JSON file."
            )
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the JSON file that the app wrote.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}); give the JSON file that the app wrote.") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != REPORT_VERSION:
        raise InputError(
            f"{path} has schema_version {version!r}, this pripro reads {REPORT_VERSION}; update the app or pripro."
        )
    try:
        return LatencyReport.model_validate(raw, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path} does not fit the latency report schema: {place}: {first['msg']}; write it again with the app."
        ) from None
