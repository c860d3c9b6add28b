"""Fixtures that several suites share: the demo's bundle, and small trained pieces."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def demo_bundle() -> Path:
    """The bundle that `make demo` leaves in build/demo; made here if it is not there yet, which takes minutes."""
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return ROOT / "build" / "demo"
