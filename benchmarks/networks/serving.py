"""`pripro serve` in a process of its own, asked once over HTTP: does it answer as the goldens say?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cloud_tail.client import TailClient
from toolkit.bundle import Bundle
from toolkit.verify.replay import load_goldens

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
#: seconds until the server must answer
START = 120


def serve_once(root: Path) -> dict[str, Any]:
    """Start the server on a free port of loopback, send the first golden message, end the server.

    Returns:
        exit (0: it answered), seconds until it was ready, ms of the answer, and its SQNR in dB beside eager PyTorch's.
    """
    goldens, bundle = load_goldens(Bundle.open(root)), Bundle.open(root)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", "serve", str(root), "--port", "0", "--", "--ready-file", str(ready)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        try:
            while not ready.is_file():
                if process.poll() is not None or time.monotonic() - began > START:
                    process.kill()
                    return {"exit": process.wait(), "error": process.communicate()[1][-500:]}
                time.sleep(0.1)
            found: dict[str, Any] = {"exit": 0, "seconds": round(time.monotonic() - began, 1)}
            with TailClient(json.loads(ready.read_text())["url"], bundle_id=bundle.manifest.bundle_id) as tail:
                tail.signature()
                asked = time.monotonic()
                answer = tail.infer(goldens.smashed[:1])
                found["ms"] = round(1e3 * (time.monotonic() - asked), 1)
        finally:
            process.terminate()
            process.wait()
    return found | {"sqnr_db": _sqnr_db(goldens.expected["logits"][:1], answer)}


def _sqnr_db(wanted: Array, found: Array) -> float:
    signal, noise = float(np.square(wanted).sum()), float(np.square(wanted - found).sum())
    if signal == 0.0:
        raise SystemExit("the network answers nothing but zeros; give it other weights")
    return round(10 * np.log10(signal / max(noise, 1e-30 * signal)), 1)
