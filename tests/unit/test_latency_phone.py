"""What runners print, what adb says, and what phones tell about their temperature."""

from pathlib import Path

import pytest
from require import require_tool

from toolkit.errors import DeviceError, InputError
from toolkit.measure import adb
from toolkit.measure.phone import hottest
from toolkit.measure.runners import command, parse, target_of

EXECUTOR = """I 00:00:00.001 executorch:executor_runner.cpp:594] Model loaded in 12.500000 ms.
I 00:00:00.100 executorch:executor_runner.cpp:731] Iteration 1 of 5: 90.000000 ms
I 00:00:00.200 executorch:executor_runner.cpp:731] Iteration 2 of 5: 40.000000 ms
I 00:00:00.300 executorch:executor_runner.cpp:731] Iteration 3 of 5: 20.000000 ms
I 00:00:00.400 executorch:executor_runner.cpp:731] Iteration 4 of 5: 22.000000 ms
I 00:00:00.500 executorch:executor_runner.cpp:731] Iteration 5 of 5: 24.000000 ms
"""
BENCHMARK = """INFO: count=1 curr=18535
INFO: count=5 first=15001 curr=14000 min=13990 max=15001 avg=14300 std=200
INFO: count=50 first=14100 curr=14600 min=13900 max=19900 avg=14575.2 std=310 p5=13950 median=14500 p95=15200
INFO: Inference timings in us: Init: 5685, First inference: 18535, Warmup (avg): 14300, Inference (avg): 14575.2
"""


def test_executor_runner_loads_first_and_samples_apart() -> None:
    reading = parse("executorch", EXECUTOR, warmups=1)
    assert (reading.load_ms, reading.first_run_ms) == (12.5, 90.0)
    assert reading.samples_ms == [20.0, 22.0, 24.0]


def test_benchmark_model_gives_upper_bounds_for_what_it_does_not_tell() -> None:
    summary = parse("tflite", BENCHMARK, warmups=5).summary
    assert summary is not None
    assert (summary.n, summary.p50_ms, summary.p90_ms, summary.p99_ms) == (50, 14.5, 15.2, 19.9)


@pytest.mark.parametrize("target", ["executorch", "tflite"])
def test_a_runner_that_tells_no_times_is_named(target: str) -> None:
    with pytest.raises(DeviceError, match="printed no times per run"):
        parse(target, "Model executed successfully\n", warmups=1)


def test_runners_are_told_by_their_name(tmp_path: Path) -> None:
    known = tmp_path / "android_aarch64_benchmark_model"
    known.write_bytes(b"")
    assert target_of(known) == "tflite"
    unknown = tmp_path / "a.out"
    unknown.write_bytes(b"")
    with pytest.raises(InputError, match="not a known runner"):
        target_of(unknown)
    with pytest.raises(InputError, match="no file"):
        target_of(tmp_path / "executor_runner")


def test_commands_ask_for_warm_ups_beyond_the_first_run() -> None:
    assert "--num_executions=16" in command("executorch", "/d", ["/d/image.bin"], 2, warmups=5, runs=10)
    assert "--num_threads=2" in command("tflite", "/d", [], 2, warmups=5, runs=10)


def test_thermal_zones_in_any_unit() -> None:
    assert hottest("cpu-0-0 41200\ncpu-0-1 43500\nbattery 36000\n") == pytest.approx(43.5)
    assert hottest("battery 361\n") == pytest.approx(36.1)
    assert hottest("tsens 38\nodd -40\n") == pytest.approx(38)
    assert hottest("cat: no such file\n") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error: device unauthorized.", "has not authorised"),
        ("error: device offline", "offline"),
        ("error: device 'X' not found", "No phone is connected"),
        ("error: more than one device/emulator", "More than one phone"),
        ("adb: error: failed to copy: remote write failed: No space left on device", "no space left"),
        ("sh: ./runner: not executable: 64-bit ELF file", "does not fit the phone's processor"),
        ("error: closed", "connection to the phone broke"),
    ],
)
def test_every_failure_of_adb_is_one_sentence(text: str, said: str) -> None:
    message = str(adb._explain(["push"], 1, text))
    assert said in message
    assert "\n" not in message


def test_a_crash_on_the_phone_names_the_signal() -> None:
    error = adb._explain(["shell", "/data/local/tmp/runner --x"], 139, "Segmentation fault")
    assert isinstance(error, adb.CommandFailed)
    assert "runner on the phone ended with status 139 (killed by signal 11)" in str(error)


@pytest.mark.slow
def test_no_phone_connected_says_so_with_the_real_adb(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("adb", "apt-get install adb")
    with pytest.raises(DeviceError, match="No phone is connected"):
        adb.Adb("no-such-serial").check()
