"""The bundle's own tail on loopback, in a process of its own, for as long as a `with` block lasts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BundleError, ServerError

if TYPE_CHECKING:
    from ..bundle import Bundle

_START_SECONDS = 60.0


@contextlib.contextmanager
def serving(bundle: Bundle, options: list[str] | None = None) -> Iterator[str]:
    """Serve the bundle's archive on a free port of 127.0.0.1 and yield its URL.

    Raises:
        BundleError: the bundle has no tail yet.
        ServerError: the server did not start.
    """
    tail = bundle.manifest.tail
    if tail is None:
        raise BundleError(f"{bundle.root} has no packaged tail yet; run: pripro package {bundle.root}")
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "cloud_tail", "serve", str(bundle.checked(tail.archive)), "--port", "0"]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*command, "--ready-file", str(ready), *(options or [])],
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        try:
            yield _wait(process, ready, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if ready.is_file():
            address = json.loads(ready.read_text())
            return str(address["url"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise ServerError(
        f"The tail did not start ({lines[-1] if lines else 'it said nothing'}); try pripro serve by hand."
    )
