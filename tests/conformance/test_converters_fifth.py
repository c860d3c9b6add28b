"""A target may come from another distribution: with it installed, every verb that knows targets knows it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import parity_bundle
import pytest
import torch

from toolkit.bundle import Bundle

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[1] / "fifth_target"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a person gets who installs that distribution with pip, here into a folder beside the environment."""
    copy, site = tmp_path_factory.mktemp("fifth") / "source", tmp_path_factory.mktemp("site")
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(copy)], check=True, timeout=300)
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


@pytest.fixture(scope="module")
def bundle(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with a head of that target, as `pripro convert` makes it."""
    made = parity_bundle.copy_of(parity_bundle.shared(), tmp_path_factory.mktemp("bundle") / "bundle")
    done = pripro(environment, "convert", made.root, "--to", "program", "--json")
    (head,) = json.loads(done.stdout)["heads"]
    assert (head["target"], head["precision"], head["backend"]) == ("program", "fp32", "eager")
    return Bundle.open(made.root)


def pripro(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolkit", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def test_verify_runs_it_and_explains_it(bundle: Bundle, environment: dict[str, str]):
    rows = json.loads(pripro(environment, "verify", bundle.root, "--to", "program", "--json").stdout)["rows"]
    assert len(rows) >= 4
    assert all(row["target"] == "program" and row["passed"] for row in rows)
    shown = pripro(environment, "verify", bundle.root, "--explain", "program:fp32")
    assert "no layer departs" in shown.stderr


def test_explain_reads_what_it_traces(bundle: Bundle, environment: dict[str, str], tmp_path: Path):
    faulty = parity_bundle.copy_of(bundle, tmp_path / "bundle")
    program = torch.export.load(parity_bundle.entry_of(faulty, "program", "fp32"))
    weight = next(value for name, value in program.state_dict.items() if name.endswith("weight") and value.ndim == 4)
    with torch.no_grad():
        weight[2] *= 8
    torch.export.save(program, tmp_path / "head.pt2")
    parity_bundle.replace_file(faulty, "program", "fp32", (tmp_path / "head.pt2").read_bytes())
    shown = pripro(environment, "verify", faulty.root, "--explain", "program:fp32")
    assert "departs is" in shown.stderr


def test_measure_times_and_profiles_it(bundle: Bundle, environment: dict[str, str]):
    arguments = ("--target", "program", "--samples", 3, "--seconds", 0.1, "--profile", "--json")
    report = json.loads(pripro(environment, "measure", bundle.root, *arguments).stdout)
    (row,) = report["rows"]
    assert (row["target"], row["runtime"]) == ("program", f"torch {torch.__version__}")
    assert row["p50_ms"] > 0
    (operator,) = report["operators"]
    assert (operator["target"], operator["operator"], operator["calls"]) == ("program", "whole", 1)


def test_doctor_lists_it(environment: dict[str, str]):
    checks = json.loads(pripro(environment, "doctor", "--json").stdout)["checks"]
    (check,) = [check for check in checks if check["name"].startswith("target program")]
    assert (check["name"], check["state"]) == ("target program (eager)", "ok")
    assert "runs here" in check["detail"]


def test_without_that_distribution_nothing_knows_it():
    command = [sys.executable, "-m", "toolkit", "convert", "nowhere", "--to", "program"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 2
    code = "from toolkit import plugins; print(*plugins.targets())"
    known = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert known.stdout.split() == ["coreai", "coreml", "executorch", "onnx", "tflite"]
