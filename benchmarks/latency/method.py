"""Does interleaving keep its promise here, and is a CPU hog noticed?

    python benchmarks/latency/method.py BUNDLE --out benchmarks/results/latency_method.json

The ratio of two heads' p50 is measured five times while neighbours come and go: interleaved, and one head after
the other; with a neighbour on every core, and with one fewer. Then one head is measured while a hog starts half way.
Wants a machine that is otherwise quiet, so that the neighbours are the same for both, and a head that takes
milliseconds (a 224-pixel one).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from record import provenance, write

from toolkit.bundle import Bundle
from toolkit.measure.head_file import HeadFile
from toolkit.measure.heads import choose_heads, time_heads, write_inputs
from toolkit.measure.timing import Effort
from toolkit.records.latency import LatencyRow
from toolkit.records.progress import Progress, quiet

HOG = [sys.executable, "-c", "while True: pass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--first", default="executorch:fp32")
    parser.add_argument("--second", default="onnx:fp32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    pair = [pick(bundle, arguments.first), pick(bundle, arguments.second)]
    effort = Effort(30, arguments.seconds)
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(bundle, Path(folder))

        def timed(*heads: HeadFile, progress: Progress = quiet) -> list[LatencyRow]:
            return time_heads([(head, 1) for head in heads], inputs, effort, progress)

        def repeated(neighbours: int) -> dict[str, object]:
            """Both ways, with the neighbours that a shared machine has there in every second measurement."""
            interleaved, in_turn = [], []
            for index in range(arguments.repeats):
                count = neighbours if index % 2 else 0
                with hogs(count):
                    interleaved.append(timed(*pair)[1])
                # and here there during one of the two, not during the other
                with hogs(count):
                    first = timed(pair[0])[0]
                in_turn.append(timed(pair[1])[0].p50_ms / first.p50_ms)
            return {
                "neighbours": neighbours,
                "interleaved": ratios([row.ratio_to_first or 0.0 for row in interleaved]),
                "interleaved_flags": [row.flag for row in interleaved],
                "one_after_the_other": ratios(in_turn),
            }

        cores = len(os.sched_getaffinity(0))
        shared = [repeated(count) for count in dict.fromkeys((max(cores - 1, 1), cores))]
        calm = timed(pair[0])[0]
        with contextlib.ExitStack() as stack:
            hogged = timed(pair[0], progress=half_way(stack, cores))[0]
    result = {
        "bundle": {"network": bundle.manifest.model.source, "cut": bundle.manifest.split.cut},
        "heads": [arguments.first, arguments.second],
        "cores": cores,
        "shared": shared,
        "calm": figures(calm),
        "hog_half_way": figures(hogged),
    }
    write(arguments.out, provenance() | result)


def pick(bundle: Bundle, text: str) -> HeadFile:
    target, _, precision = text.partition(":")
    return choose_heads(bundle, [target], [precision or "fp32"])[0]


def ratios(values: list[float]) -> dict[str, object]:
    """Values, and their largest distance from the median relative to it."""
    middle = statistics.median(values)
    return {"ratios": values, "spread_share": max(abs(value / middle - 1) for value in values)}


def figures(row: LatencyRow) -> dict[str, object]:
    return {"n": row.n, "p50_ms": row.p50_ms, "p99_ms": row.p99_ms, "flag": row.flag}


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """Keep that many cores busy."""
    processes = [subprocess.Popen(HOG) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def half_way(stack: contextlib.ExitStack, count: int) -> Progress:
    """Start the hogs once half of the runs are done; they end with the stack."""
    started = []

    def progress(done: float, total: float, text: str) -> None:
        if done >= 0.5 * total and not started:
            started.append(stack.enter_context(hogs(count)))

    return progress


if __name__ == "__main__":
    main()
