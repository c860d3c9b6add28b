"""The parent's side of worker.py: one head, opened in a process of its own, as a Subject of timing.py."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import PriproError
from .timing import Turn


class HeadProcess:
    """A head on its runtime. A context manager: leaving it ends the process."""

    def __init__(self, label: str, target: str, entry: Path, threads: int) -> None:
        self.label = label
        self.threads = threads
        self._head = {"target": target, "entry": str(entry), "threads": threads}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "toolkit.measure.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            # torch copies ExecuTorch's outputs; a second OpenMP thread for that would spin through the next run
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )

    def __enter__(self) -> HeadProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5 if kind is None else 0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    @property
    def pid(self) -> int:
        """The process's number, for whoever watches what it uses."""
        return self._process.pid

    def begin(self, inputs: Path) -> None:
        """Let the process import its runtime; several can do so at once."""
        self._send({"do": "prepare", **self._head, "inputs": str(inputs)})

    def ready(self) -> None:
        """Wait until `begin` is done."""
        self._receive()

    def open(self, warmups: int) -> Mapping[str, Any]:
        """Load and warm up. Returns load_ms, first_run_ms, run_ms, peak_memory_bytes and real_runtime."""
        self._send({"do": "open", "warmups": warmups})
        return self._receive()

    def turn(self, runs: int) -> Turn:
        """Run once untimed, then `runs` times timed."""
        self._send({"do": "turn", "runs": runs})
        return Turn(**self._receive())

    def profile(self, runs: int) -> dict[str, tuple[int, float]]:
        """Return {operator: (calls, total ms)} of one run."""
        self._send({"do": "profile", "runs": runs})
        return {name: (calls, ms) for name, (calls, ms) in self._receive()["operators"].items()}

    def _send(self, order: Mapping[str, object]) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the process was started without a pipe")
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _receive(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("the process was started without a pipe")
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PriproError(
                f"The head {self.label} failed on its runtime ({answer['error']}); "
                "convert it again and run pripro verify."
            )
        return answer

    def _died(self) -> PriproError:
        code = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return PriproError(
            f"The runtime of the head {self.label} ended with status {code}{last}; "
            "convert it again or leave it out with --target."
        )
