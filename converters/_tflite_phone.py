"""LiteRT's benchmark_model: it prints p95 and the maximum, no p90 or p99, so these stand in as upper bounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._phone import PhoneRunner, Printed, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence


class BenchmarkModel(PhoneRunner):
    """Takes .tflite files; it makes up its inputs."""

    program = "benchmark_model"
    title = "LiteRT's benchmark_model"
    bounds = "benchmark_model reports no p90 or p99; its p95 and maximum are used instead, which are upper bounds"

    def arguments(self, head: str, inputs: Sequence[str], *, threads: int, warmups: int, runs: int) -> list[str]:
        """See the base class."""
        return [
            f"--graph={head}",
            f"--num_threads={threads}",
            f"--warmup_runs={warmups}",
            f"--num_runs={runs}",
            "--min_secs=0",
            "--use_xnnpack=true",
        ]

    def read(self, text: str, warmups: int) -> Printed | None:
        """Read microseconds; the last "count=" line is the timed runs' (the first is the warm-up's)."""
        counts = [line for line in text.splitlines() if "count=" in line and "avg=" in line]
        if not counts:
            return None
        values = {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.e+]+)", counts[-1])}
        if not {"count", "avg", "std", "min", "max"} <= values.keys():
            return None
        milliseconds = (
            values["avg"], values["std"], values["min"], values.get("median", values["avg"]),
            values.get("p95", values["max"]), values["max"],
        )  # fmt: skip
        init, first = (re.search(rf"{what}: ([0-9.e+]+)", text) for what in ("Init", "First inference"))
        return Printed(
            float(init.group(1)) / 1e3 if init else None,
            float(first.group(1)) / 1e3 if first else None,
            spread=Summary(int(values["count"]), *(value / 1e3 for value in milliseconds)),
        )
