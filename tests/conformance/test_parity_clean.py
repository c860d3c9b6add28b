"""Heads that are right must not be called wrong: the first few of benchmarks/parity/false_alarms.py's 200 runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "parity"))
import false_alarms  # noqa: E402 - a script's folder


@pytest.mark.parametrize("seed", range(6))
def test_a_clean_head_raises_no_alarm(seed: int):
    target, precision = false_alarms.TURNS[seed]
    rows = false_alarms.clean_run(seed, target, precision)
    assert [row.where for row in rows] == ["head", "hard inputs", "noise"]
    assert [row for row in rows if row.passed is not True] == []
