"""One engine's batch-1 forward without any server: python bare.py ENGINE PRECISION DATA SECONDS CORE, prints JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from net import features

#: what a server's core waits for the next request at concurrency 1: caches and clock cool down meanwhile
PAUSE_S = 0.0003


def forward(engine: str, precision: str, data: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function to time: float32 [1,128,28,28] to logits."""
    if engine == "torch":
        import torch
        from net import make

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        model = make()
        return lambda array: model(torch.from_numpy(array)).numpy()
    from cloud_tail.archive import open_archive
    from cloud_tail.engine import load_engine

    return load_engine(open_archive(data / "bench.mar"), engine=engine, precision=precision).run


def timed(
    run: Callable[[np.ndarray], np.ndarray], array: np.ndarray, seconds: float, pause: float
) -> tuple[list[float], float]:
    """Seconds of each run, and CPU seconds of one; with a pause before each where asked."""
    times, cpu, end = [], time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        if pause:
            time.sleep(pause)
        started = time.perf_counter()
        run(array)
        times.append(time.perf_counter() - started)
    return times, (time.process_time() - cpu) / len(times)


def main() -> None:
    """Time it."""
    engine, precision, data, seconds, core = sys.argv[1:6]
    os.sched_setaffinity(0, {int(core)})
    run, array = forward(engine, precision, Path(data)), features(1, seed=99)
    for _ in range(5):
        run(array)
    times, cpu = timed(run, array, float(seconds), pause=0.0)
    _, paced = timed(run, array, float(seconds), pause=PAUSE_S)
    print(
        json.dumps(
            {
                "p50_ms": 1000 * float(np.median(times)),
                "cpu_ms": 1000 * cpu,
                "paced_cpu_ms": 1000 * paced,
                "rps": len(times) / sum(times),
            }
        )
    )


if __name__ == "__main__":
    main()
