"""A process of its own for every head that is timed: `python -m toolkit.measure.worker`.

Alone in its process a head cannot share a thread pool, a warm cache or memory with the one it is compared
to, and its peak memory is its own. The parent speaks JSON lines: one order in, one answer out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from converters.base import Converter, Runner

from .. import plugins


class Worker:
    """Obeys the parent's orders: `prepare`, `open`, then `turn` as often as it likes."""

    def __init__(self) -> None:
        self._converter: Converter | None = None
        self._entry = Path()
        self._load: Callable[[], Runner] | None = None
        self._runner: Runner | None = None
        self._inputs: dict[str, Any] = {}

    def prepare(self, target: str, entry: str, threads: int, inputs: str) -> dict[str, object]:
        """Import the runtime's own libraries, which is no part of any head's loading time."""
        converter = plugins.target(target)()
        self._converter, self._entry = converter, Path(entry)
        self._load = partial(converter.load, self._entry, threads=threads)
        self._load()  # thrown away; it has never run, so the first run is still to come
        self._inputs = dict(load_file(inputs))
        return {}

    def open(self, warmups: int) -> dict[str, object]:
        """Load the head and run it `warmups` times; loading and the first run are timed apart."""
        if self._load is None:
            raise RuntimeError("a worker must be prepared before it can open a head")
        _reset_peak()
        before = _memory("VmRSS")
        begin = time.perf_counter()
        self._runner = self._load()
        loaded = time.perf_counter()
        self._runner.run(self._inputs)
        first = time.perf_counter()
        warm = [self._run_once() for _ in range(warmups)]
        peak = _memory("VmHWM")
        return {
            "load_ms": 1e3 * (loaded - begin),
            "first_run_ms": 1e3 * (first - loaded),
            "run_ms": min(warm, default=1e3 * (first - loaded)),
            "peak_memory_bytes": None if peak is None or before is None else max(0, peak - before),
            "real_runtime": self._runner.is_real_runtime,
        }

    def turn(self, runs: int) -> dict[str, object]:
        """Run once untimed, then `runs` times timed."""
        begin_cpu, begin = time.process_time(), time.perf_counter()
        self._run_once()
        runs_ms = [self._run_once() for _ in range(runs)]
        return {"runs_ms": runs_ms, "cpu_s": time.process_time() - begin_cpu, "wall_s": time.perf_counter() - begin}

    def profile(self, runs: int) -> dict[str, object]:
        """Ask the runtime's profiler: {operator: [calls, ms]} of one run."""
        if self._converter is None:
            raise RuntimeError("a worker must be prepared before it can profile a head")
        return {"operators": dict(self._converter.profile(self._entry, self._inputs, runs) or {})}

    def _run_once(self) -> float:
        if self._runner is None:
            raise RuntimeError("a head must be opened before it can run")
        begin = time.perf_counter()
        self._runner.run(self._inputs)
        return 1e3 * (time.perf_counter() - begin)


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _memory(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(values[0]) * 1024 if values else None


def main() -> None:
    """Answer orders until the parent closes the pipe."""
    # runtimes print to standard output; answers go through a copy that only this loop knows
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(worker, order.pop("do"))(**order)
        except Exception as error:  # the parent turns it into one sentence
            answer = {"error": f"{type(error).__name__}: {error}".split("\n", 1)[0]}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
