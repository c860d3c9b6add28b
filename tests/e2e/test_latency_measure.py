"""`pripro measure` and `pripro plan` on real runtimes, each head in its own process."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import torch
from require import require_package

from toolkit.bundle import Bundle
from toolkit.measure.heads import choose_heads, measure_bundle
from toolkit.measure.process import HeadProcess
from toolkit.measure.timing import Effort
from toolkit.measure.unprotected import convert_unprotected
from toolkit.plan.measuring import Piece, convert_piece
from toolkit.records import schemas

pytestmark = pytest.mark.slow
PRIPRO = [sys.executable, "-c", "from toolkit.cli.main import main; main()"]


def pripro(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PRIPRO, *map(str, words)], capture_output=True, text=True, check=False, timeout=500)


def valid(text: str, kind: str) -> dict:
    report = json.loads(text)
    jsonschema.validate(report, json.loads((schemas.FOLDER / f"{kind}.schema.json").read_text()))
    return report


@pytest.fixture
def copy(demo_bundle: Path, tmp_path: Path) -> Path:
    """The demo's bundle in a place of its own, without earlier reports."""
    target = tmp_path / "bundle"
    shutil.copytree(demo_bundle, target, ignore=shutil.ignore_patterns("reports", "report.html"))
    return target


def test_a_quick_look_is_a_whole_report(copy: Path) -> None:
    result = pripro("measure", copy, "--quick", "--json", "--target", "onnx", "--target", "executorch")
    assert result.returncode == 0, result.stderr
    report = valid(result.stdout, "latency")
    assert report["device"]["kind"] == "host"
    assert {row["target"] for row in report["rows"]} == {"onnx", "executorch"}
    for row in report["rows"]:
        assert 0 < row["min_ms"] <= row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["n"] >= 2
        assert row["load_ms"] > 0
        assert row["first_run_ms"] > 0
        assert row["peak_memory_bytes"] > 0
    assert report["rows"][0]["ratio_to_first"] == 1.0
    written = list((copy / "reports").glob("latency-*.json"))
    assert [json.loads(path.read_text()) for path in written] == [report]
    assert result.stderr.strip().splitlines()[-1].startswith("next: pripro ")


def test_a_hog_is_reported_and_profiles_name_real_kernels(copy: Path) -> None:
    bundle = Bundle.open(copy)
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        report = measure_bundle(
            bundle, targets=["onnx", "executorch"], precisions=["fp32"], effort=Effort(20, 0.3, 20), profile=True
        )
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert all("foreign load" in row.flag for row in report.rows)
    for target in ("onnx", "executorch"):
        operators = [row for row in report.operators if row.target == target]
        assert 0 < len(operators) <= 10
        assert any("conv" in row.operator.lower() for row in operators)
        shares = [row.share for row in operators]
        assert shares == sorted(shares, reverse=True)
        assert 0.5 < sum(shares) <= 1.0 + 1e-9


def test_the_unprotected_head_is_timed_beside_the_protected_one(copy: Path) -> None:
    bundle = Bundle.open(copy)
    heads = choose_heads(bundle, ["onnx"], ["fp32"])
    with convert_unprotected(bundle, heads, lambda done, total, text: None) as bare:
        report = measure_bundle(
            bundle, targets=["onnx"], precisions=["fp32"], effort=Effort(10, 0.2, 10), unprotected=bare
        )
    assert [row.part for row in report.rows] == ["head", "unprotected-head"]


def test_a_damaged_head_is_one_sentence(copy: Path) -> None:
    head = next(head for head in Bundle.open(copy).manifest.heads if head.target == "onnx")
    path = copy / head.entry
    path.write_bytes(path.read_bytes()[:1000])
    result = pripro("measure", copy, "--quick", "--target", "onnx")
    assert result.returncode == 2
    assert "onnxruntime cannot open" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((copy / "reports").glob("*")) if (copy / "reports").exists() else True


@pytest.mark.parametrize("target", ["executorch", "onnx", "tflite"])
def test_one_thread_is_one_thread(target: str, tmp_path: Path) -> None:
    """Features large enough for torch to copy them with several threads, which it would keep spinning."""
    widen = torch.nn.Conv2d(3, 16, 3, padding=1).eval().requires_grad_(False)
    made = convert_piece(Piece("head", widen, None, (3, 96, 96), None, target, "fp32"), tmp_path / "head")
    with HeadProcess(made.name, made.target, made.entry, 1) as process:
        process.begin(made.inputs)
        process.ready()
        process.open(3)
        before = ticks_of_threads(process.pid)
        process.turn(1000)
        used = {thread: ticks - before.get(thread, 0) for thread, ticks in ticks_of_threads(process.pid).items()}
    assert max(used.values()) >= 0.95 * sum(used.values()) > 0


def ticks_of_threads(pid: int) -> dict[str, int]:
    """CPU time of every thread of a process, in the kernel's ticks."""
    stats = {
        task.name: (task / "stat").read_text().rpartition(") ")[2].split()
        for task in Path(f"/proc/{pid}/task").iterdir()
    }
    return {name: int(fields[11]) + int(fields[12]) for name, fields in stats.items()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threads", "0"], "--threads '0' does not fit"),
        (["--target", "nokia"], "no head with target 'nokia'"),
        (["--quick", "--full"], "contradict"),
        (["--device", "adb"], "--runner"),
        (["--device", "usb"], "adb:SERIAL"),
        (["--device-report", "/nowhere.json"], "cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(copy: Path, words: list[str], said: str) -> None:
    result = pripro("measure", copy, *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert not (copy / "reports").exists()


def test_a_plan_measures_few_cuts_and_prices_all(tmp_path: Path) -> None:
    require_package("skimage", "privacy")
    page = tmp_path / "plan.html"
    result = pripro(
        "plan", "digits_resnet", "--input", "1x28x28", "--target", "onnx", "--measured", 3, "--json", "--html", page,
        "--bandwidth", "5Mbps", "--rtt", "10ms", "--exposure", "--phone-factor", 4, "--server-factor", 0.2,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = valid(result.stdout, "plan")
    options = [row["option"] for row in report["rows"]]
    assert options.count("edge-only") == 1
    assert options.count("cloud-only") == 3
    splits = {row["name"]: row for row in report["rows"] if row["option"] == "split"}
    assert {"layer1", "layer2", "layer3"} <= splits.keys()
    assert len(report["measured_cuts"]) == 3
    for row in report["rows"]:
        assert row["total_ms"] == pytest.approx(row["head_ms"] + row["network_ms"] + row["tail_ms"])
    assert all(0 <= row["distance_correlation"] <= 1 for row in splits.values())
    assert splits["layer1"]["bytes_uint8"] == 16 * 28 * 28
    # 4 x 4 positions with 48 of 7 codes each, none more frequent than the others
    assert report["encoding"] == "waist"
    assert splits["layer1"]["bytes_sent"] == splits["layer1"]["bytes_waist"] == 270
    assert {item["goal"] for item in report["recommendations"]} >= {"lowest latency", "lowest latency of a split"}
    assert not any("cloud-only" in item["below"] + item["above"] for item in report["private_crossings"])
    assert page.read_text().count("<svg") == 2
