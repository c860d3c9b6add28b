"""The iOS demo without a Mac: the type-check of what only Apple builds finds planted faults."""

import shutil
from pathlib import Path

import pytest
from ios_tools import IOS, ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STUBS = ROOT / "build" / "ios-check"


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        # a value of another type, in a screen
        ("App/SplitDemo/Parity/ParityView.swift", "withTail: withTail", "withTail: rows"),
        # a method that Core ML does not have
        ("SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift", "model.prediction(from: inputs)", "model.predict(inputs)"),
        # an argument's name that Core AI does not have
        ("SplitKit/Sources/SplitKitCoreAI/CoreAIHead.swift", "loadFunction(named:", "loadFunction(called:"),
        # not Swift at all
        ("SplitKit/Sources/SplitKitExecuTorch/ExecuTorchHead.swift", "final class Exec", "final klass Exec"),
        # the load mode that the loader had before it had one
        ("SplitKit/Sources/SplitKitExecuTorch/ExecuTorchHead.swift", ", loadMode: .mmap", ""),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    copy = tmp_path / "ios_demo"
    shutil.copytree(IOS, copy, ignore=shutil.ignore_patterns(".build", "Resources"))
    shutil.copyfile(ROOT / "Package.swift", tmp_path / "Package.swift")
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    done = run(copy / "check.sh", STUBS)
    assert done.returncode != 0
    assert f"{Path(file).name}:" in done.stderr + done.stdout, done.stderr[-2000:]
