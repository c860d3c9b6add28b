"""Programs that time a head on a phone: how each is called and what it prints.

executor_runner: ExecuTorch 1.5 and newer print every iteration's ms.
benchmark_model: LiteRT; it prints p95 and the maximum, no p90 or p99, so these stand in as upper bounds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DeviceError, InputError
from .statistics import Summary, summarise

BOUNDS = "benchmark_model reports no p90 or p99; its p95 and maximum are used instead, which are upper bounds"


@dataclass(frozen=True)
class Reading:
    """What one launch of a runner said."""

    load_ms: float | None
    first_run_ms: float | None
    samples_ms: list[float]
    summary: Summary | None


def target_of(runner: Path) -> str:
    """Tell which target's heads a runner takes, from its name.

    Raises:
        InputError: no such file, or a name that tells nothing.
    """
    if not runner.is_file():
        raise InputError(f"There is no file {runner}; give --runner a program built for the phone.")
    for name, target in (("executor_runner", "executorch"), ("benchmark_model", "tflite")):
        if name in runner.name:
            return target
    raise InputError(
        f"{runner.name} is not a known runner; give ExecuTorch's executor_runner or LiteRT's benchmark_model, "
        "with that word in its file name."
    )


def command(target: str, folder: str, inputs: Sequence[str], threads: int, warmups: int, runs: int) -> list[str]:
    """Arguments that time `folder`/head with `folder`/runner."""
    if target == "executorch":
        return [
            f"{folder}/runner",
            f"--model_path={folder}/head",
            f"--inputs={','.join(inputs)}",
            f"--num_executions={1 + warmups + runs}",
            f"--cpu_threads={threads}",
            "--print_output=none",
        ]
    return [
        f"{folder}/runner",
        f"--graph={folder}/head",
        f"--num_threads={threads}",
        f"--warmup_runs={warmups}",
        f"--num_runs={runs}",
        "--min_secs=0",
        "--use_xnnpack=true",
    ]


def parse(target: str, text: str, warmups: int) -> Reading:
    """Read what a runner printed.

    Raises:
        DeviceError: the figures are not in it.
    """
    reading = _executor_runner(text, warmups) if target == "executorch" else _benchmark_model(text)
    if reading is None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        seen = f" (its last line: {lines[-1][:160]})" if lines else ""
        wanted = "executor_runner of ExecuTorch 1.5 or newer" if target == "executorch" else "LiteRT's benchmark_model"
        raise DeviceError(f"The runner printed no times per run{seen}; build {wanted} with logging to the terminal.")
    return reading


def _executor_runner(text: str, warmups: int) -> Reading | None:
    runs = [float(value) for value in re.findall(r"Iteration \d+ of \d+: ([0-9.]+) ms", text)]
    if len(runs) < warmups + 2:
        return None
    loaded = re.search(r"Model loaded in ([0-9.]+) ms", text)
    samples = runs[1 + warmups :]
    return Reading(float(loaded.group(1)) if loaded else None, runs[0], samples, summarise(samples))


def _benchmark_model(text: str) -> Reading | None:
    """The second "count=" line is the timed runs' (the first is the warm-up's); microseconds."""
    counts = [line for line in text.splitlines() if "count=" in line and "avg=" in line]
    if not counts:
        return None
    values = {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.e+]+)", counts[-1])}
    if not {"count", "avg", "std", "min", "max"} <= values.keys():
        return None
    median = values.get("median", values["avg"])
    summary = Summary(
        int(values["count"]), values["avg"] / 1e3, values["std"] / 1e3, values["min"] / 1e3, median / 1e3,
        values.get("p95", values["max"]) / 1e3, values["max"] / 1e3,
    )  # fmt: skip
    init = re.search(r"Init: ([0-9.e+]+)", text)
    first = re.search(r"First inference: ([0-9.e+]+)", text)
    return Reading(
        float(init.group(1)) / 1e3 if init else None, float(first.group(1)) / 1e3 if first else None, [], summary
    )
