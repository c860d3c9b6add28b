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


def main() -> None:
    """Time it."""
    engine, precision, data, seconds, core = sys.argv[1:6]
    os.sched_setaffinity(0, {int(core)})
    run, array = forward(engine, precision, Path(data)), features(1, seed=99)
    for _ in range(5):
        run(array)
    times, cpu, end = [], time.process_time(), time.perf_counter() + float(seconds)
    while (started := time.perf_counter()) < end:
        run(array)
        times.append(time.perf_counter() - started)
    cpu = time.process_time() - cpu
    print(
        json.dumps(
            {
                "p50_ms": 1000 * float(np.median(times)),
                "cpu_ms": 1000 * cpu / len(times),
                "rps": len(times) / sum(times),
            }
        )
    )


if __name__ == "__main__":
    main()
