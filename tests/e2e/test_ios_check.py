"""The iOS demo without a Mac: SplitKit passes its tests, what only Apple builds type-checks, faults are found."""

import re
import shutil
from pathlib import Path

import pytest
from ios_tools import IOS, ROOT, build, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STUBS = ROOT / "build" / "ios-check"


def test_splitkit_builds_and_passes_its_tests() -> None:
    build()
    done = run("swift", "test", "--skip-build")
    said = done.stdout + done.stderr
    faults = "\n".join(line for line in said.splitlines() if " error: " in line)
    assert done.returncode == 0, faults or said[-6000:]
    assert re.search(r"Executed [1-9]\d* tests, with 0 failures", said), said[-3000:]
    assert "skipped" not in said, "a test was skipped although Python is here"


def test_what_only_apple_builds_type_checks() -> None:
    done = run(IOS / "check.sh", STUBS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        # a value of another type, in a screen
        ("App/SplitDemo/Parity/ParityView.swift", "let tail = withTail", "let tail: Int = withTail"),
        # a method that Core ML does not have
        ("SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift", "model.prediction(from: inputs)", "model.predict(inputs)"),
        # not Swift at all
        ("App/SplitDemo/Head/ExecuTorchHead.swift", "final class ExecuTorchHead", "final klass ExecuTorchHead"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    copy = tmp_path / "ios_demo"
    shutil.copytree(IOS, copy, ignore=shutil.ignore_patterns(".build", "Resources"))
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    done = run(copy / "check.sh", STUBS)
    assert done.returncode != 0
    assert f"{Path(file).name}:" in done.stderr + done.stdout, done.stderr[-2000:]
