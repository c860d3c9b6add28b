"""Summaries, steps in a series, and who else uses the processor."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toolkit.measure.load import LoadMeter
from toolkit.measure.statistics import change_point, summarise

CASES = json.loads((Path(__file__).parents[1] / "contract" / "percentiles.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"n={len(case['values'])}")
def test_summaries_are_those_that_phones_compute(case: dict) -> None:
    summary = summarise(case["values"])
    found = [summary.mean_ms, summary.std_ms, summary.min_ms, summary.p50_ms, summary.p90_ms, summary.p99_ms]
    wanted = [case[key] for key in ("mean", "std", "min", "p50", "p90", "p99")]
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12)
    assert summary.n == len(case["values"])


def test_a_step_is_found_where_it_is() -> None:
    generator = np.random.default_rng(0)
    turns = np.concatenate([generator.normal(10, 0.3, 30), generator.normal(13, 0.3, 25)])
    index, step = change_point(turns.tolist()) or (0, 0.0)
    assert index == pytest.approx(30, abs=1)
    assert step == pytest.approx(1.3, rel=0.03)


def test_a_step_in_few_turns_needs_complete_separation() -> None:
    assert change_point([10, 10.1, 9.9, 10.2, 15, 15.1, 14.9, 15.2]) == (4, pytest.approx(1.5, rel=0.02))
    assert change_point([10, 15.1, 9.9, 10.2, 15, 10.1, 14.9, 15.2]) is None


def test_noise_alone_is_hardly_ever_called_a_step() -> None:
    generator = np.random.default_rng(1)
    alarms = sum(change_point(generator.lognormal(2, 0.2, 60).tolist()) is not None for _ in range(200))
    assert alarms <= 4


def test_small_steps_and_short_series_stay_unmentioned() -> None:
    assert change_point([10.0] * 20 + [10.5] * 20) is None
    assert change_point([10.0] * 3 + [20.0] * 3) is None


def test_a_busy_neighbour_shows_in_the_counters() -> None:
    meter = LoadMeter()
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        meter.start()
        time.sleep(0.5)
        load = meter.stop(0.0)
    finally:
        hog.kill()
        hog.wait()
    assert load.foreign_cores > 0.3
    assert not load.calm


def test_own_work_is_not_foreign(tmp_path: Path) -> None:
    """With counters that only our own time moves, nothing is left over for others."""
    stat = tmp_path / "stat"
    stat.write_text("cpu 100 0 0 1000 0 0 0 0 0 0\n")
    meter = LoadMeter(stat)
    meter.start()
    time.sleep(0.2)
    stat.write_text("cpu 150 0 0 1000 0 0 0 0 0 0\n")  # half a second of busy time since
    assert meter.stop(0.5).foreign_cores == pytest.approx(0.0, abs=0.05)
