"""What a phone wrote is judged like any other runtime, and believed in nothing."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cloud_tail.wire import dequantise, quantise
from toolkit.errors import InputError
from toolkit.package import cases
from toolkit.records.bundle import Task, TensorSpec
from toolkit.records.machine import Device
from toolkit.records.parity import DeviceOutput, DeviceParityReport
from toolkit.records.wire import wire_spec
from toolkit.verify.device import device_rows, read_device_report
from toolkit.verify.replay import Goldens

ID = "ab" * 32
PHONE = Device(kind="android", model="Pixel 8", os="Android 15", cpu="Tensor G3", cores=9)
ROWS = [cases.PHOTO, cases.PHOTO, cases.OTHER_DRAW, cases.NO_NOISE, cases.SWINGING, cases.SATURATED]


def make() -> tuple[Goldens, SimpleNamespace]:
    rng = np.random.default_rng(0)
    image, eps = (rng.standard_normal((6, 3, 4, 4)).astype(np.float32) for _ in range(2))
    image[2:], eps[3] = image[0], 0.0
    logits = rng.standard_normal((6, 5)).astype(np.float32)
    goldens = Goldens({"image": image, "eps": eps}, {"smashed": image + eps, "logits": logits}, ROWS)
    manifest = SimpleNamespace(
        bundle_id=ID,
        golden=SimpleNamespace(tolerances={"fp32": 1e-4}),
        heads=[],
        protection=None,
        split=SimpleNamespace(outputs=[TensorSpec(name="logits", dtype="float32", shape=[-1, 5], layout="NC")]),
        task=Task(name="classify", metric="top-1", guessed=False),
    )
    return goldens, SimpleNamespace(manifest=manifest)


def output(goldens: Goldens, index: int, smashed: np.ndarray | None = None) -> DeviceOutput:
    def digest(name: str) -> str:
        return hashlib.sha256(goldens.inputs[name][index].astype("<f4").tobytes()).hexdigest()

    answer = goldens.smashed[index] if smashed is None else smashed
    return DeviceOutput(
        index=index,
        target="executorch",
        precision="fp32",
        backend="xnnpack",
        runtime="ExecuTorch 1.5.1",
        image_sha256=digest("image"),
        eps_sha256=digest("eps"),
        smashed_base64=base64.b64encode(answer.astype("<f4").tobytes()).decode(),
        logits=goldens.expected["logits"][index].tolist(),
    )


def report(outputs: list[DeviceOutput], bundle_id: str = ID) -> DeviceParityReport:
    return DeviceParityReport(bundle_id=bundle_id, created_utc="2026-01-01T00:00:00Z", device=PHONE, outputs=outputs)


def test_features_of_a_head_that_emits_codes_are_forgiven_their_rounding_only():
    goldens, bundle = make()
    wire = TensorSpec(
        name="smashed", dtype="uint8", shape=[-1, 3, 4, 4], scale=[0.04, 0.05, 0.045], zero_point=[128, 120, 130]
    )
    head = SimpleNamespace(target="executorch", precision="fp32", backend="xnnpack", outputs=[wire])
    spec = wire_spec(wire)
    for steps, passed in ((0, True), (1, False)):
        codes = np.clip(quantise(goldens.smashed, spec).astype(int) + steps, 0, 255).astype(np.uint8)
        seen = dequantise(codes, spec)
        told = report([output(goldens, i, seen[i]) for i in range(6)])
        bundle.manifest.heads = [head]
        rows = {row.where: row for row in device_rows(told, bundle, goldens)}
        assert rows["head"].passed is passed
        bundle.manifest.heads = []  # the same features from a head that gives float32 are wrong
        assert not {row.where: row for row in device_rows(told, bundle, goldens)}["head"].passed


def test_right_answers_become_rows_that_pass():
    goldens, bundle = make()
    rows = device_rows(report([output(goldens, i) for i in range(6)]), bundle, goldens)
    assert [(row.where, row.passed) for row in rows] == [
        ("head", True),
        ("hard inputs", True),
        ("noise", True),
        ("end-to-end", True),
    ]
    assert all(row.runtime == "Pixel 8: ExecuTorch 1.5.1" for row in rows)


def test_a_phone_without_noise_fails_on_privacy():
    goldens, bundle = make()
    quiet = [output(goldens, i, goldens.inputs["image"][i]) for i in range(6)]
    noise = next(row for row in device_rows(report(quiet), bundle, goldens) if row.where == "noise")
    assert noise.passed is False
    assert "eps is ignored" in noise.note


def test_an_offline_phone_has_no_end_to_end_row():
    goldens, bundle = make()
    rows = device_rows(
        report([output(goldens, i).model_copy(update={"logits": None}) for i in range(6)]), bundle, goldens
    )
    assert "end-to-end" not in {row.where for row in rows}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image_sha256": "0" * 64}, "image of golden row 1 is not this bundle's"),
        ({"eps_sha256": ""}, "eps of golden row 1 is not this bundle's"),
        ({"smashed_base64": "!!"}, "no base64"),
        ({"smashed_base64": "AAAA"}, "are 3 bytes, not float32"),
        ({"index": 99}, "golden row 99; there are 6"),
        ({"logits": [1.0]}, "logits of another size than 5"),
    ],
)
def test_answers_to_something_else_are_refused(changed, said: str):
    goldens, bundle = make()
    outputs = [output(goldens, i).model_copy(update=changed if i == 1 else {}) for i in range(6)]
    with pytest.raises(InputError, match=said):
        device_rows(report(outputs), bundle, goldens)


def test_two_answers_to_one_row_are_refused():
    goldens, bundle = make()
    with pytest.raises(InputError, match="twice"):
        device_rows(report([output(goldens, 0), output(goldens, 0)]), bundle, goldens)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no file"),
        ("{", "is not a device parity report"),
        ('{"kind": "latency"}', "is not a device parity report"),
        (report([], "cd" * 32).model_dump_json(), "is about bundle cdcdcdcdcdcd, this is abababababab"),
    ],
)
def test_files_that_are_not_about_this_bundle(tmp_path: Path, content: str | None, said: str):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said):
        read_device_report(path, make()[1])


def test_the_contract_fixture_is_read(tmp_path: Path):
    fixture = Path(__file__).parents[1] / "contract" / "reports" / "device-parity.json"
    found = DeviceParityReport.model_validate_json(fixture.read_bytes())
    bundle = SimpleNamespace(manifest=SimpleNamespace(bundle_id=found.bundle_id))
    assert read_device_report(fixture, bundle) == found
