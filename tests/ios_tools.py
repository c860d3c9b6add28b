"""What the iOS tests share: where Swift is, and the package at the repository's root built once."""

import os
import subprocess
import sys
from pathlib import Path

from once import once
from require import require_tool

ROOT = Path(__file__).parents[1]
IOS = ROOT / "ios_demo"


def swift_environment() -> dict[str, str]:
    """Return an environment whose PATH has Swift; PRIPRO_SWIFT may name the folder of its programs."""
    os.environ["PATH"] = os.pathsep.join(filter(None, (os.environ.get("PRIPRO_SWIFT"), os.environ["PATH"])))
    require_tool("swift", "installing Swift 6 from swift.org, or PRIPRO_SWIFT=FOLDER_OF_ITS_PROGRAMS")
    return {**os.environ, "PRIPRO_PYTHON": sys.executable, "no_proxy": "127.0.0.1,localhost"}


def run(*command: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env=swift_environment(), cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def build() -> Path:
    """Build the package and its tests, warnings as errors; returns the folder of its programs."""

    def make() -> None:
        done = run("swift", "build", "--build-tests", "-Xswiftc", "-warnings-as-errors")
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]

    once("ios", make)
    where = run("swift", "build", "--show-bin-path")
    assert where.returncode == 0, where.stderr
    return Path(where.stdout.strip())
