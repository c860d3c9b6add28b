"""`make demo`, to its last table: a waist behind the cut, four targets, what an attacker gets at one look and ten."""

import subprocess
import sys
from pathlib import Path

import pytest
from once import BUILD, once

from toolkit.bundle import Bundle
from toolkit.records.parity import ParityReport
from toolkit.records.privacy import PrivacyReport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
#: mean bytes of a digit as a PNG file
PNG = 268


@pytest.fixture(scope="module")
def demo(demo_bundle) -> tuple[Bundle, str]:
    """The bundle and what was printed; the trained network is the one of the other demo."""
    printed = BUILD / "demo-waist.printed"

    def make() -> None:
        command = [sys.executable, "-m", "toolkit.cli.demo.waist"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        printed.write_text(done.stdout)

    once("demo-waist", make)
    return Bundle.open(demo_bundle.with_name("demo-waist")), printed.read_text()


def test_every_target_agrees_with_the_tail(demo):
    bundle, _ = demo
    assert {head.target for head in bundle.manifest.heads} == {"executorch", "coreml", "tflite", "onnx"}
    report = bundle.newest_report(ParityReport)
    assert report is not None
    assert report.rows
    assert [row for row in report.rows if row.passed is not True] == []
    head = next(head for head in bundle.manifest.heads if (head.target, head.precision) == ("executorch", "fp32"))
    assert head.ops_total is not None
    assert head.ops_delegated == head.ops_total


def test_a_message_is_smaller_than_the_digits_file_and_the_certificate_is_printed(demo):
    bundle, printed = demo
    record = bundle.manifest.protection
    assert record is not None
    assert record.certificate is not None
    assert record.certificate.message_bits_mean / 8 < PNG / 4
    for line in ("message, mean", "bits about the photo, at most", "as PNG", "as JPEG", "PI, one look", "PI, 10 looks"):
        assert line in printed


def test_ten_looks_at_the_same_photo_tell_no_more_than_one(demo):
    report = demo[0].newest_report(PrivacyReport)
    assert report is not None
    least: dict[tuple[str, int], float] = {}
    for row in report.rows:
        if row.pi is not None:
            key = row.task, row.observations
            least[key] = min(row.pi, least.get(key, row.pi))
    tasks = {task for task, _ in least}
    assert len(tasks) == 2, "the photo, and an attribute"
    for task in tasks:
        assert least[task, 10] >= least[task, 1] - 0.01, task
    one, ten = (min(pi for (_, seen), pi in least.items() if seen == looks) for looks in (1, 10))
    assert abs(one - ten) <= 0.01
