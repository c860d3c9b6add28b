"""`make demo-injector`'s bundle: what it promises, and that a second run does no work twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from toolkit.bundle import Bundle
from toolkit.convert.heads import converter
from toolkit.datasets._data import load_data
from toolkit.inference import seeded
from toolkit.protect.protected import load_protected

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle(demo_bundle) -> Bundle:
    return Bundle.open(demo_bundle)


def test_all_four_targets_and_the_tail_are_there(bundle):
    bundle.check_files()
    assert {head.target for head in bundle.manifest.heads} == {"executorch", "coreml", "tflite", "onnx"}
    assert bundle.manifest.tail is not None
    assert bundle.manifest.golden is not None


def test_nothing_is_left_outside_the_xnnpack_delegate(bundle):
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == ("executorch", "fp32"))
    assert head.backend == "xnnpack"
    assert head.ops_total == head.ops_delegated


def test_the_user_keeps_the_accuracy_within_a_point_and_noise_is_there(bundle):
    record = bundle.manifest.protection
    assert record is not None
    assert record.accuracy is not None
    assert record.accuracy.unprotected - record.accuracy.protected <= 0.01
    assert record.statistics["mean_w_a"] > 0.1
    assert record.statistics["mean_sigma"] > 0.1 * record.statistics["smashed_std"]


def test_int8_heads_keep_top1_within_a_point_of_fp32_on_the_test_digits(bundle):
    found = load_protected(bundle)
    test = load_data("digits", bundle.manifest.preprocess).test
    eps = found.protection.draw_eps(len(test), seeded(11))
    accuracy: dict[tuple[str, str], float] = {}
    for head in bundle.manifest.heads:
        if head.target == "coreml":
            continue
        runner = converter(head.target).load(bundle.root / head.entry)
        right = 0
        for index in range(len(test)):
            feed = {"image": test.images[index : index + 1].numpy(), "eps": eps[index : index + 1].numpy()}
            logits = found.split.tail(torch.from_numpy(runner.run(feed).copy()))
            right += int(logits.argmax(1).item() == test.labels[index].item())
        accuracy[head.target, head.precision] = right / len(test)
    print(accuracy)
    for target in ("executorch", "tflite", "onnx"):
        assert accuracy[target, "int8"] >= accuracy[target, "fp32"] - 0.01, accuracy


def test_a_second_run_does_no_work_twice(bundle):
    before = {path: path.stat().st_mtime_ns for path in bundle.root.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", "run", "toolkit/cli/demo/deploy.toml", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["parity"]["passed"] is True
    linted = {(row["precision"], row["backend"]): row["partitions"] for row in result["lint"]["rows"]}
    assert linted["fp32", "executorch-xnnpack"] == linted["fp32", "tflite-cpu"] == 1
    after = {path: path.stat().st_mtime_ns for path in bundle.root.rglob("*") if path.is_file()}
    assert after == before
