"""Interleaving: what drifts cancels, what is disturbed is left out by the counters' word."""

import pytest

from toolkit.measure.load import LoadMeter, RoundLoad
from toolkit.measure.timing import Effort, Turn, interleave


class Machine:
    """A clock of its own: how slow everything is grows with every turn."""

    def __init__(self, drift: float = 0.0) -> None:
        self.turns = 0
        self.drift = drift
        self.hogged = range(0)

    def slowness(self) -> float:
        self.turns += 1
        return (1 + self.drift * self.turns) * (2.5 if self.turns in self.hogged else 1.0)


class Scripted:
    """A head that takes `ms` on an undisturbed machine."""

    threads = 1

    def __init__(self, machine: Machine, ms: float) -> None:
        self.machine, self.ms = machine, ms

    def turn(self, runs: int) -> Turn:
        ms = self.ms * self.machine.slowness()
        return Turn([ms] * runs, ms * runs / 1e3, ms * runs / 1e3)


class Counters(LoadMeter):
    """Tells foreign load in the rounds in which the machine was hogged."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def stop(self, subjects_cpu_s: float) -> RoundLoad:
        return RoundLoad(1.0 if self.machine.turns in self.machine.hogged else 0.0)


def measure(machine: Machine, first: float, second: float, effort: Effort) -> list:
    subjects = [Scripted(machine, first), Scripted(machine, second)]
    return interleave(subjects, effort, run_ms=[first, second], meter=Counters(machine))


def test_drift_cancels_in_the_ratio() -> None:
    results = measure(Machine(drift=0.01), 100.0, 50.0, Effort(40, 0.0))
    assert results[1].ratio_to_first == pytest.approx(0.5, rel=0.02)
    # the figures themselves did drift by more than that
    assert results[0].summary.p99_ms > 1.3 * results[0].summary.min_ms


def test_disturbed_rounds_are_left_out_and_said_so() -> None:
    machine = Machine()
    machine.hogged = range(21, 41)
    results = measure(machine, 100.0, 50.0, Effort(30, 0.0))
    assert results[0].summary.p99_ms == pytest.approx(100.0)
    assert results[1].summary.p99_ms == pytest.approx(50.0)
    assert "foreign load" in results[0].flag
    assert "left out" in results[0].flag


def test_a_machine_that_is_never_calm_is_flagged_and_still_ends() -> None:
    machine = Machine()
    machine.hogged = range(10**9)
    results = measure(machine, 100.0, 50.0, Effort(10, 0.0))
    assert "too few calm rounds" in results[0].flag
    assert results[0].summary.n >= 10


def test_on_a_machine_that_is_never_calm_the_ratio_is_of_processor_time() -> None:
    class Waiting(Scripted):
        """Waits for the core longer than it computes, now more, now less."""

        def turn(self, runs: int) -> Turn:
            turn = super().turn(runs)
            wait = 1.5 + self.machine.turns % 3
            wall_ms = [ms * wait for ms in turn.runs_ms]
            return Turn(wall_ms, self.ms * (runs + 1) / 1e3, wait * turn.wall_s)

    machine = Machine()
    machine.hogged = range(10**9)
    subjects = [Waiting(machine, 100.0), Waiting(machine, 50.0)]
    results = interleave(subjects, Effort(10, 0.0), run_ms=[100.0, 50.0], meter=Counters(machine))
    assert results[1].ratio_to_first == pytest.approx(0.5)
    assert "by processor time" in results[1].flag
    assert "by processor time" not in results[0].flag


def test_throttling_is_told_as_a_change_of_speed() -> None:
    machine = Machine()
    machine.slowness = lambda: 1.0 if len(seen.append(0) or seen) <= 40 else 1.6  # type: ignore[method-assign]
    seen: list[int] = []
    results = measure(machine, 100.0, 50.0, Effort(40, 0.0))
    assert "speed changed" in results[0].flag


def test_a_preempted_single_thread_makes_the_round_disturbed() -> None:
    class Preempted(Scripted):
        def turn(self, runs: int) -> Turn:
            turn = super().turn(runs)
            return Turn(turn.runs_ms, 0.5 * turn.wall_s, turn.wall_s)

    machine = Machine()
    subjects = [Scripted(machine, 10.0), Preempted(machine, 10.0)]
    results = interleave(subjects, Effort(10, 0.0), run_ms=[10.0, 10.0], meter=Counters(machine))
    assert results[0].flag == ""
    assert "foreign load" in results[1].flag


def test_the_wall_clock_limit_ends_a_long_measurement() -> None:
    results = measure(Machine(), 100.0, 50.0, Effort(10**6, 0.0, most_seconds=0.05))
    assert 1 <= results[0].summary.n < 10**6
