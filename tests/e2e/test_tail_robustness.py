"""The counted robustness runs of benchmarks/serving/robustness.py, with smaller counts."""

import importlib.util

import pytest
from tail_tools import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs():
    spec = importlib.util.spec_from_file_location("robustness", ROOT / "benchmarks" / "serving" / "robustness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_malformed_requests(runs, tmp_path):
    told = runs.fuzz(tmp_path, 6000, seed=11)
    assert told["wrong"] == []
    assert told["alive"]
    assert sum(told["good"].values()) == 600
    assert sum(count for status, count in told["answers"].items() if status != "slow or reset") == 6000
    assert not {status for status in told["answers"] if status.startswith("5")} - {"503", "505"}


def test_memory_stays_flat(runs, tmp_path):
    assert runs.leak(tmp_path, 4000)["growth"] < 0.05


def test_overload(runs, tmp_path):
    told = runs.overload(tmp_path, 3)
    assert told["wrong"] == 0
    assert set(told["answers"]) == {"200", "503"}  # everybody is answered
    assert told["rss_mb_during"] < 1.1 * told["rss_mb_before"]


def test_sigterm_under_load_loses_nothing(runs, tmp_path):
    told = runs.term(tmp_path, 3)
    assert told["lost"] == 0
    assert told["answered"] > 100
