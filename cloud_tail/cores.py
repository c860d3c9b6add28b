"""How many cores there are to work on; asked by the tail's server and by whatever else divides work."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """How many cores this process may use; a Mac does not tell, and has all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
