"""Does interleaving keep its promise here, and is a CPU hog noticed?

    python benchmarks/latency/method.py BUNDLE --out benchmarks/results/latency_method.json

The ratio of two heads' p50 is measured five times while a neighbour comes and goes: interleaved, and one head after
the other. Then one head is measured while a hog starts half way. Wants a machine that is otherwise quiet, so that the
neighbour is the same for both, and a head that takes milliseconds (a 224-pixel one).
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from record import provenance, write

from toolkit.bundle import Bundle
from toolkit.measure import HeadFile, Progress, choose_heads, time_heads, write_inputs
from toolkit.measurement.timing import Effort
from toolkit.reports import LatencyRow

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

        def timed(*heads: HeadFile, progress: Progress = lambda share, text: None) -> list[LatencyRow]:
            return time_heads([(head, 1) for head in heads], inputs, effort, progress)

        interleaved = []
        one_after_the_other = []
        for index in range(arguments.repeats):
            # the neighbour that a shared machine has: there in every second measurement
            with hog() if index % 2 else contextlib.nullcontext():
                interleaved.append(timed(*pair)[1])
            # and here there during one of the two, not during the other
            with hog() if index % 2 else contextlib.nullcontext():
                first = timed(pair[0])[0]
            one_after_the_other.append(timed(pair[1])[0].p50_ms / first.p50_ms)
        calm = timed(pair[0])[0]
        with contextlib.ExitStack() as stack:
            hogged = timed(pair[0], progress=half_way(stack))[0]
    result = {
        "bundle": {"network": bundle.manifest.model.source, "cut": bundle.manifest.split.cut},
        "heads": [arguments.first, arguments.second],
        "interleaved": ratios([row.ratio_to_first or 0.0 for row in interleaved]),
        "interleaved_flags": [row.flag for row in interleaved],
        "one_after_the_other": ratios(one_after_the_other),
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
def hog() -> Iterator[None]:
    """Keep both of two cores busy."""
    processes = [subprocess.Popen(HOG) for _ in range(2)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def half_way(stack: contextlib.ExitStack) -> Progress:
    """Start the hog once half of the runs are done; it ends with the stack."""
    started = []

    def progress(share: float, text: str) -> None:
        if share >= 0.5 and not started:
            started.append(stack.enter_context(hog()))

    return progress


if __name__ == "__main__":
    main()
