"""Structured logs: one JSON object a line on stderr; events and numbers, never a payload or a header's value."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime


def log(event: str, **facts: str | int | float | None) -> None:
    """Write one line."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"time": stamp, "event": event, **facts}), file=sys.stderr, flush=True)
