"""ExecuTorch's executor_runner: it prints every iteration's ms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._phone import PhoneRunner, Printed

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExecutorRunner(PhoneRunner):
    """Takes .pte files."""

    program = "executor_runner"
    title = "executor_runner of ExecuTorch 1.5 or newer"

    def arguments(self, head: str, inputs: Sequence[str], *, threads: int, warmups: int, runs: int) -> list[str]:
        """See the base class; the first run and the warm-ups are executions like others."""
        return [
            f"--model_path={head}",
            f"--inputs={','.join(inputs)}",
            f"--num_executions={1 + warmups + runs}",
            f"--cpu_threads={threads}",
            "--print_output=none",
        ]

    def read(self, text: str, warmups: int) -> Printed | None:
        """See the base class."""
        runs = tuple(float(value) for value in re.findall(r"Iteration \d+ of \d+: ([0-9.]+) ms", text))
        if len(runs) < warmups + 2:
            return None
        loaded = re.search(r"Model loaded in ([0-9.]+) ms", text)
        return Printed(float(loaded.group(1)) if loaded else None, runs[0], runs[1 + warmups :])
