"""`pripro verify` as a person and a script use it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import parity_bundle
import pytest
from require import require

from toolkit.bundle import Bundle
from toolkit.convert.heads import converter
from toolkit.records.machine import Device
from toolkit.records.parity import DeviceOutput, DeviceParityReport
from toolkit.verify.replay import load_goldens

pytestmark = pytest.mark.slow
KEYS = {"target", "precision", "where", "max_abs", "sqnr_db", "top1_agree", "tolerance", "passed"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return parity_bundle.copy_of(parity_bundle.shared(), tmp_path / "bundle")


def pripro(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pripro")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


def test_table_fits_and_every_row_passes(bundle: Bundle):
    done = pripro("verify", bundle.root)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 110
    assert sum(line.rstrip().endswith("pass") for line in lines) == 10  # 2 heads on 5 rows
    assert "FAIL" not in done.stdout
    assert done.stderr.strip().splitlines()[-1] == f"next: pripro measure {bundle.root}"


def test_json_rows_and_exit_code_of_a_failure(bundle: Bundle):
    import onnx
    from onnx import numpy_helper

    model = onnx.load(parity_bundle.entry_of(bundle, "onnx", "fp32"))
    (weights,) = [w for w in model.graph.initializer if list(w.dims) == [16, 8, 3, 3]]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights)[::-1].copy(), weights.name))
    parity_bundle.replace_file(bundle, "onnx", "fp32", model.SerializeToString())
    done = pripro("verify", bundle.root, "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["passed"] is False
    assert all(row.keys() >= KEYS for row in report["rows"])
    failed = {(row["precision"], row["where"]) for row in report["rows"] if row["passed"] is False}
    assert ("fp32", "head") in failed
    assert not any(precision == "int8" for precision, _ in failed)
    assert f"next: pripro verify {bundle.root} --explain onnx:fp32" in done.stderr
    explained = pripro("verify", bundle.root, "--explain", "onnx:fp32")
    assert explained.returncode == 0, explained.stderr
    assert "DEPARTS" in explained.stdout
    assert "the first layer that departs is conv2d" in explained.stderr
    assert max(len(line.rstrip()) for line in explained.stdout.splitlines()) <= 110


def phone_report(bundle: Bundle) -> DeviceParityReport:
    """What an app writes: here the real runtime answers in the phone's place."""
    goldens = load_goldens(bundle)
    run = converter("onnx").load(parity_bundle.entry_of(bundle, "onnx", "fp32")).run

    def digest(value: np.ndarray) -> str:
        return hashlib.sha256(value.astype("<f4").tobytes()).hexdigest()

    outputs = [
        DeviceOutput(
            index=index,
            target="onnx",
            precision="fp32",
            backend="cpu",
            runtime="onnxruntime-android",
            image_sha256=digest(goldens.inputs["image"][index]),
            eps_sha256=digest(goldens.inputs["eps"][index]),
            smashed_base64=base64.b64encode(run(goldens.feed(index)).astype("<f4").tobytes()).decode(),
            logits=None,
        )
        for index in range(len(goldens.rows))
    ]
    phone = Device(kind="android", model="Pixel 8", os="Android 15", cpu="Tensor G3", cores=9)
    return DeviceParityReport(
        bundle_id=bundle.manifest.bundle_id, created_utc="2026-01-01T00:00:00Z", device=phone, outputs=outputs
    )


def test_a_phones_report_becomes_rows(bundle: Bundle, tmp_path: Path):
    path = tmp_path / "phone.json"
    path.write_text(phone_report(bundle).model_dump_json())
    done = pripro("verify", bundle.root, "--device-report", path, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["device"]["model"] == "Pixel 8"
    assert {row["where"]: row["passed"] for row in report["rows"]} == {"head": True, "hard inputs": True, "noise": True}


def test_a_report_about_another_bundle_is_refused(bundle: Bundle, tmp_path: Path):
    path = tmp_path / "phone.json"
    path.write_text(phone_report(bundle).model_copy(update={"bundle_id": "cd" * 32}).model_dump_json())
    done = pripro("verify", bundle.root, "--device-report", path)
    assert done.returncode == 2
    assert "is about bundle cdcdcdcdcdcd" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "onx"), "There is no head in"),
        (("--explain", "coreml"), "There is no head in"),
        (("--explain", "onnx:fp8"), "There is no precision of onnx named 'fp8'"),
        (("--tflite-compat", "1.0", "--to", "onnx"), "There is no old tflite-runtime named '1.0'"),
    ],
)
def test_bad_arguments_are_one_sentence(bundle: Bundle, arguments: tuple[str, ...], said: str):
    done = pripro("verify", bundle.root, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_heads_on_the_phones_instruction_set(bundle: Bundle):
    from toolkit.emulated import arm64

    require(arm64.missing() is None, "the ARM64 system", "pripro doctor")
    if not (arm64.default_root() / "opt").is_dir():
        arm64.prepare()
    done = pripro("verify", bundle.root, "--arm64", "--to", "onnx", "--json")
    assert done.returncode == 0, done.stderr
    rows = [row for row in json.loads(done.stdout)["rows"] if row["runtime"] == "onnx on aarch64"]
    assert {(row["precision"], row["where"]) for row in rows} == {
        (precision, where)
        for precision in ("fp32", "int8")
        for where in ("head", "hard inputs", "noise", "as on this host")
    }
    assert all(row["passed"] for row in rows)
