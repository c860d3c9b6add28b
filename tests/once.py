"""What is made once in a run and shared by all of its worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

BUILD = Path(__file__).parents[1] / "build"
#: pytest-xdist gives all workers of a run the same; without workers, the process is the run
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"process {os.getpid()}")


def once(name: str, make: Callable[[], None]) -> None:
    """Call `make` in the first worker that asks; the others wait, and go on when it succeeded there."""
    BUILD.mkdir(exist_ok=True)
    mark = BUILD / f".once-{name}"
    with FileLock(f"{mark}.lock"):
        if mark.is_file() and mark.read_text() == RUN:
            return
        make()
        mark.write_text(RUN)
