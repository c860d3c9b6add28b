"""The digits demo with heads that emit the wire's uint8 codes: a quarter of the bytes at the same accuracy."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from cloud_tail.archive import open_archive
from cloud_tail.client import TailClient
from cloud_tail.wire import dequantise, encode_request
from toolkit.bundle import Bundle
from toolkit.convert.heads import convert, converter, plan_heads
from toolkit.datasets._data import load_data
from toolkit.errors import UnknownNameError
from toolkit.inference import seeded
from toolkit.package.serving import serving
from toolkit.protect.protected import load_protected
from toolkit.verify.explain import explain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
#: each target in the precision that the demo has it in
HEADS = {"executorch": "fp32", "tflite": "fp32", "onnx": "fp32", "coreml": "fp16"}


@pytest.fixture(scope="module")
def plain(demo_bundle) -> Bundle:
    return Bundle.open(demo_bundle)


@pytest.fixture(scope="module")
def coded(plain, tmp_path_factory) -> Bundle:
    """The demo's bundle, its heads replaced by such with a uint8 output; the tail is the one that was there."""
    root = tmp_path_factory.mktemp("coded") / "bundle"
    shutil.copytree(plain.root, root)
    bundle = Bundle.open(root)
    for target, precision in HEADS.items():
        convert(bundle, plan_heads([target], [precision], wire="uint8"))
    return bundle


def answers(bundle: Bundle, target: str, count: int) -> np.ndarray:
    """What a head gives for the first test digits, with noise."""
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == (target, HEADS[target]))
    test = load_data("digits", bundle.manifest.preprocess).test
    eps = load_protected(bundle).protection.draw_eps(len(test), seeded(11)).numpy()
    runner = converter(target).load(bundle.root / head.entry)
    images = test.images.numpy()
    return np.concatenate([runner.run({"image": images[i : i + 1], "eps": eps[i : i + 1]}) for i in range(count)])


def test_manifest_head_and_tail_share_one_scale_and_zero_point(plain, coded):
    assert coded.manifest.bundle_id == plain.manifest.bundle_id
    accepted = open_archive(coded.path(coded.manifest.tail.archive)).signature.encoding("uint8")
    changed = [head for head in coded.manifest.heads if HEADS[head.target] == head.precision]
    assert len(changed) == len(HEADS)
    for head in changed:
        (output,) = head.outputs
        assert output.dtype == ("float32" if head.target in {"coreml", "executorch"} else "uint8")
        assert tuple(output.scale) == accepted.scale
        assert tuple(output.zero_point) == accepted.zero_point


@pytest.mark.parametrize("target", list(HEADS))
def test_accuracy_stays_within_half_a_point_at_a_quarter_of_the_bytes(plain, coded, target):
    signature = open_archive(coded.path(coded.manifest.tail.archive)).signature
    test, tail = load_data("digits", plain.manifest.preprocess).test, load_protected(plain).split.tail
    count = len(test)
    floats = answers(plain, target, count)
    codes = answers(coded, target, count).astype(np.uint8)
    seen = dequantise(codes, signature.encoding("uint8"))
    right = {}
    with torch.no_grad():
        for name, smashed in (("float32", floats), ("uint8", seen)):
            logits = torch.cat([tail(part) for part in torch.from_numpy(smashed.copy()).split(100)])
            right[name] = (logits.argmax(1) == test.labels).float().mean().item()
    print(target, right)
    assert right["uint8"] >= right["float32"] - 0.005
    small, large = (
        len(encode_request(array[:1], signature.encoding(name), None)[1])
        for array, name in ((codes, "uint8"), (floats, "float32"))
    )
    assert codes[:1].nbytes * 4 == floats[:1].nbytes
    assert small <= large / 4 + 250  # both carry one small JSON header


def test_the_tail_takes_a_heads_codes_as_they_are(coded):
    codes = answers(coded, "onnx", 8)
    spec = open_archive(coded.path(coded.manifest.tail.archive)).signature.encoding("uint8")
    with torch.no_grad():
        expected = load_protected(coded).split.tail(torch.from_numpy(dequantise(codes, spec))).numpy()
    with serving(coded) as url, TailClient(url, bundle_id=coded.manifest.bundle_id) as tail:
        assert np.abs(tail.infer(codes, "uint8") - expected).max() <= 1e-4


def test_verify_and_measure_work_on_such_a_bundle(coded):
    def run(*arguments: str) -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "toolkit.cli.main", *arguments, "--json"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(done.stdout)

    report = run("verify", str(coded.root))
    assert report["passed"] is True
    rows = [r for r in report["rows"] if r["where"] == "head" and HEADS[r["target"]] == r["precision"]]
    assert len(rows) == len(HEADS)
    assert all(row["tolerance"].endswith("+ code/2") for row in rows)
    latency = run("measure", str(coded.root), "--quick", "--target", "onnx", "--precision", "fp32")
    assert latency["rows"][0]["p50_ms"] > 0


@pytest.mark.parametrize("target", HEADS)
def test_layers_are_explained_up_to_the_features_that_the_codes_stand_for(coded, target):
    head = next(h for h in coded.manifest.heads if (h.target, h.precision) == (target, HEADS[target]))
    found = explain(coded, head)
    assert "no layer departs" in found.first
    assert {layer.module.partition(".")[0] for layer in found.layers} == {"backbone", "block"}


def test_a_fault_before_the_codes_is_named(coded, tmp_path):
    root = tmp_path / "bundle"
    shutil.copytree(coded.root, root)
    head = next(h for h in coded.manifest.heads if (h.target, h.precision) == ("onnx", "fp32"))
    model = onnx.load(root / head.entry)
    weights = [value for value in model.graph.initializer if len(value.dims) == 4 and value.dims[2:] == [3, 3]][2]
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * 1.5, weights.name))
    onnx.save(model, root / head.entry)
    found = explain(Bundle.open(root), head)
    departing = next(layer for layer in found.layers if layer.departs)
    assert f"the first layer that departs is {departing.operator} at {departing.module}" in found.first
    assert departing.module.startswith("backbone.")


def test_other_wires_are_refused():
    with pytest.raises(UnknownNameError, match="float32"):
        plan_heads(["onnx"], ["fp32"], wire="uint4")


def test_converting_again_with_the_float32_wire_replaces_the_head(coded, tmp_path):
    root = tmp_path / "bundle"
    shutil.copytree(coded.root, root)
    bundle = Bundle.open(root)
    convert(bundle, plan_heads(["onnx"], ["fp32"]), fingerprint="f")
    heads = [head for head in bundle.manifest.heads if (head.target, head.precision) == ("onnx", "fp32")]
    assert [head.outputs[0].dtype for head in heads] == ["float32"]
    assert "convert onnx fp32 cpu uint8 wire" not in bundle.manifest.stages
    assert bundle.manifest.stages["convert onnx fp32 cpu"] == "f"
