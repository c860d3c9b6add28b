"""Who else used the processor while we measured? The kernel's counters tell."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

#: foreign cores from which on a round counts as disturbed; with counter ticks of 10 ms, less cannot be read
LIMIT_CORES = 0.25


@dataclass(frozen=True)
class RoundLoad:
    """Cores that other processes (or other guests of the machine, "steal") took during one round."""

    foreign_cores: float

    @property
    def calm(self) -> bool:
        """Whether the round may be used."""
        return self.foreign_cores < LIMIT_CORES


class LoadMeter:
    """Compare all busy time of the machine with our own between `start` and `stop`."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._begin = (0.0, 0.0, 0.0)

    def start(self) -> None:
        """Begin a round."""
        self._begin = (time.perf_counter(), self._busy_s(), _own_cpu_s())

    def stop(self, subjects_cpu_s: float) -> RoundLoad:
        """End a round in which the subjects' own processes used `subjects_cpu_s` of CPU time."""
        wall, busy, own = self._begin
        elapsed = time.perf_counter() - wall
        foreign = self._busy_s() - busy - (_own_cpu_s() - own) - subjects_cpu_s
        # two ticks: the counters of a short round are that coarse
        return RoundLoad(max(0.0, foreign - 2 / os.sysconf("SC_CLK_TCK")) / elapsed)

    def _busy_s(self) -> float:
        """Seconds since boot in which any core was not idle; 0 where the system does not report it."""
        try:
            fields = self._stat.read_text().split("\n", 1)[0].split()[1:]
        except OSError:
            return 0.0
        ticks = [int(value) for value in fields[:8]]
        idle = ticks[3] + ticks[4]
        return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")


def _own_cpu_s() -> float:
    return time.process_time()
