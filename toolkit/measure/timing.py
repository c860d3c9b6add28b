"""Interleaved rounds: A B A B, so that whatever drifts on the machine drifts for every subject alike.

One round gives every subject one turn of a few runs, forwards in one round and backwards in the next, so
that a linear drift cancels too. Rounds in which other processes took the processor are left out of the
figures by what the processor's counters say, never by how slow they came out.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..records.progress import Progress, quiet
from .load import LoadMeter, RoundLoad
from .statistics import Summary, change_point, summarise

#: a turn takes about this long, so that its untimed first run costs little
TURN_SECONDS = 0.1
#: a turn of something very fast ends here
MOST_RUNS = 10_000
#: how much longer than asked rounds may go on to make up for disturbed ones
PATIENCE = 2.0


@dataclass(frozen=True)
class Turn:
    """What one subject did in one round: each run's ms, the process's CPU seconds, and the wall seconds."""

    runs_ms: list[float]
    cpu_s: float
    wall_s: float


class Subject(Protocol):
    """Something that can be timed."""

    @property
    def threads(self) -> int:
        """Threads that one run uses."""

    def turn(self, runs: int) -> Turn:
        """Run once untimed (the other subjects emptied the caches), then `runs` times timed."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        samples: least runs per subject.
        seconds: least time per subject spent in timed runs.
        most_seconds: wall-clock limit for all rounds together, or None.
    """

    samples: int = 50
    seconds: float = 5.0
    most_seconds: float | None = None


@dataclass
class Series:
    """One subject's turns, round by round."""

    subject: Subject
    runs_per_turn: int
    turns: list[Turn] = field(default_factory=list)
    calm: list[bool] = field(default_factory=list)

    def used(self) -> list[Turn]:
        """The undisturbed turns, or all of them where there are too few to stand alone."""
        calm = [turn for turn, ok in zip(self.turns, self.calm, strict=True) if ok]
        return calm if 2 * len(calm) >= len(self.turns) or len(calm) >= 8 else self.turns

    def enough(self, effort: Effort) -> bool:
        """Whether the calm turns alone satisfy `effort`."""
        calm = [turn for turn, ok in zip(self.turns, self.calm, strict=True) if ok]
        return _satisfies(calm, effort)


@dataclass(frozen=True)
class Timed:
    """One subject's result. `ratio_to_first`: median over rounds of its median over the first subject's.

    Where too few rounds were calm and both run on one thread, it is the ratio of their processor time instead, in
    which waiting for a busy core does not count; the flag says so.
    """

    summary: Summary
    ratio_to_first: float
    flag: str


def _satisfies(turns: Sequence[Turn], effort: Effort) -> bool:
    runs = [ms for turn in turns for ms in turn.runs_ms]
    return len(runs) >= effort.samples and sum(runs) >= 1e3 * effort.seconds


def interleave(
    subjects: Sequence[Subject],
    effort: Effort,
    progress: Progress = quiet,
    *,
    run_ms: Sequence[float],
    meter: LoadMeter | None = None,
) -> list[Timed]:
    """Time all subjects against each other.

    Args:
        subjects: what to time; the first is what ratios refer to.
        effort: when to stop.
        progress: called with (done, total, text).
        run_ms: about how long one run of each subject takes, to size the turns.
        meter: where foreign load is read from; /proc/stat by default.
    """
    meter = meter or LoadMeter()
    all_series = [
        Series(subject, max(1, min(MOST_RUNS, math.ceil(TURN_SECONDS * 1e3 / max(ms, 1e-3)))))
        for subject, ms in zip(subjects, run_ms, strict=True)
    ]
    started = time.perf_counter()
    loads: list[RoundLoad] = []
    while not _done(all_series, effort, time.perf_counter() - started):
        meter.start()
        order = all_series if len(loads) % 2 == 0 else all_series[::-1]
        for series in order:
            series.turns.append(series.subject.turn(series.runs_per_turn))
        load = meter.stop(sum(series.turns[-1].cpu_s for series in all_series))
        loads.append(load)
        for series in all_series:
            series.calm.append(load.calm and _held_the_processor(series.subject, series.turns[-1]))
        least = min(_share(series, effort) for series in all_series)
        progress(least, 1, f"round {len(loads)}")
    return [_result(series, all_series[0], loads) for series in all_series]


def _held_the_processor(subject: Subject, turn: Turn) -> bool:
    # only a single-threaded run is known to want the processor all the time
    return subject.threads > 1 or turn.cpu_s >= 0.9 * turn.wall_s


def _share(series: Series, effort: Effort) -> float:
    runs = sum(len(turn.runs_ms) for turn in series.turns)
    seconds = sum(sum(turn.runs_ms) for turn in series.turns) / 1e3
    return min(1.0, runs / effort.samples, seconds / effort.seconds if effort.seconds else 1.0)


def _done(all_series: Sequence[Series], effort: Effort, elapsed_s: float) -> bool:
    if not all_series[0].turns:
        return False
    if effort.most_seconds is not None and elapsed_s > effort.most_seconds:
        return True
    if all(series.enough(effort) for series in all_series):
        return True
    patient = Effort(math.ceil(effort.samples * PATIENCE), effort.seconds * PATIENCE)
    return all(_satisfies(series.turns, patient) for series in all_series)


def _result(series: Series, first: Series, loads: Sequence[RoundLoad]) -> Timed:
    used = series.used()
    medians = [statistics.median(turn.runs_ms) for turn in used]
    ratio, by_processor_time = _ratio(series, first)
    summary = summarise([ms for turn in used for ms in turn.runs_ms])
    doubts = _doubts(series, used, medians, loads)
    if by_processor_time and series is not first:
        doubts.append("ratio to the first by processor time")
    return Timed(summary, ratio, "; ".join(doubts))


def _ratio(series: Series, first: Series) -> tuple[float, bool]:
    """Median over rounds of a subject's time over the first one's, and whether it is of processor time."""
    rounds = list(zip(series.turns, first.turns, strict=True))
    calm = [pair for pair, a, b in zip(rounds, series.calm, first.calm, strict=True) if a and b]
    if len(calm) >= max(3, len(rounds) // 4):
        return _median_ratio(calm, _wall_ms), False
    if series.subject.threads == first.subject.threads == 1:
        return _median_ratio(rounds, _cpu_s), True
    return _median_ratio(rounds, _wall_ms), False


def _median_ratio(rounds: Sequence[tuple[Turn, Turn]], of: Callable[[Turn], float]) -> float:
    return statistics.median(of(own) / of(reference) for own, reference in rounds)


def _wall_ms(turn: Turn) -> float:
    return statistics.median(turn.runs_ms)


def _cpu_s(turn: Turn) -> float:
    """Processor seconds of one run; a turn has an untimed one too."""
    return turn.cpu_s / (len(turn.runs_ms) + 1)


def _doubts(series: Series, used: Sequence[Turn], medians: Sequence[float], loads: Sequence[RoundLoad]) -> list[str]:
    doubts = []
    disturbed = [load for load, ok in zip(loads, series.calm, strict=True) if not ok]
    if disturbed:
        cores = statistics.median(load.foreign_cores for load in disturbed)
        treatment = "left out" if len(used) < len(series.turns) else "too few calm rounds to leave them out"
        doubts.append(
            f"foreign load: other processes took {cores:.1f} cores in {len(disturbed)} of {len(loads)} rounds "
            f"({treatment})"
        )
    step = change_point(medians)
    if step is not None:
        doubts.append(f"speed changed: {step[1]:.2f} times the earlier ms from turn {step[0] + 1} of {len(medians)} on")
    return doubts
