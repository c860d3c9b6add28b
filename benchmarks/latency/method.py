"""Does interleaving keep its promise here, and is a CPU hog noticed?

    python benchmarks/latency/method.py BUNDLE [--first executorch:fp32] [--second onnx:fp32] [--repeats 5]

Prints one line of JSON: the ratio of two heads' p50 measured several times, interleaved and one after the other
while a neighbour comes and goes, and what a measurement says when a hog starts half way.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from toolkit.bundle import Bundle
from toolkit.measure import HeadFile, choose_heads, time_heads, write_inputs
from toolkit.measurement.condition import this_host
from toolkit.measurement.timing import Effort
from toolkit.reports import LatencyRow

HOG = [sys.executable, "-c", "while True: pass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--first", default="executorch:fp32")
    parser.add_argument("--second", default="onnx:fp32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    pair = [pick(bundle, arguments.first), pick(bundle, arguments.second)]
    effort = Effort(30, arguments.seconds)
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(bundle, Path(folder))

        def timed(*heads: HeadFile) -> list[LatencyRow]:
            return time_heads([(head, 1) for head in heads], inputs, effort, lambda share, text: None)

        interleaved = [timed(*pair)[1].ratio_to_first or 0.0 for _ in range(arguments.repeats)]
        plain = []
        for index in range(arguments.repeats):
            # the neighbour that a shared machine has: there during one of the two, not during the other
            with hog() if index % 2 else contextlib.nullcontext():
                first = timed(pair[0])[0]
            plain.append(timed(pair[1])[0].p50_ms / first.p50_ms)
        with_neighbour = []
        for index in range(arguments.repeats):
            with hog() if index % 2 else contextlib.nullcontext():
                with_neighbour.append(timed(*pair)[1].ratio_to_first or 0.0)
        calm = timed(pair[0])[0]
        hogged = started_half_way(lambda: timed(pair[0])[0], arguments.seconds)
    result = {
        "host": this_host().model_dump(),
        "heads": [arguments.first, arguments.second],
        "interleaved_ratios": interleaved,
        "interleaved_spread_share": spread(interleaved),
        "interleaved_with_neighbour_ratios": with_neighbour,
        "interleaved_with_neighbour_spread_share": spread(with_neighbour),
        "one_after_the_other_with_neighbour_ratios": plain,
        "one_after_the_other_spread_share": spread(plain),
        "calm_p50_ms": calm.p50_ms,
        "calm_flag": calm.flag,
        "hog_half_way_p50_ms": hogged.p50_ms,
        "hog_half_way_p99_ms": hogged.p99_ms,
        "hog_half_way_flag": hogged.flag,
    }
    print(json.dumps(result))


def pick(bundle: Bundle, text: str) -> HeadFile:
    target, _, precision = text.partition(":")
    return choose_heads(bundle, [target], [precision or "fp32"])[0]


def spread(values: list[float]) -> float:
    """Largest distance from the median, relative to it."""
    middle = statistics.median(values)
    return max(abs(value / middle - 1) for value in values)


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


def started_half_way(measure: object, seconds: float) -> LatencyRow:
    stop = threading.Event()

    def disturb() -> None:
        # opening the head takes a while before the rounds start
        if not stop.wait(3 + seconds / 2):
            with hog():
                stop.wait()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        time.sleep(0)
        return measure()  # type: ignore[operator]
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
