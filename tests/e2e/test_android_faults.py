"""Android: the check that every module goes through finds planted faults."""

import shutil
import subprocess
from pathlib import Path

import pytest
from android_tools import ANDROID, android_build, compiler_paths, run_check

pytestmark = pytest.mark.slow
APP, CORE = "app/src/main/kotlin/org/pripro/demo/ui", "splitkit-core/src/main/kotlin/org/pripro/splitkit"
EXECUTORCH = "splitkit-executorch/src/main/kotlin/org/pripro/splitkit/executorch/ExecuTorchRuntime.kt"
LITERT = "splitkit-litert/src/main/kotlin/org/pripro/splitkit/litert/LiteRtRuntime.kt"


def planted(tmp_path: Path, file: str, right: str, wrong: str) -> subprocess.CompletedProcess[str]:
    """Compile a copy with one fault in it; what the fault does not touch is taken from the build that is there."""
    copy, out = tmp_path / "android_demo", tmp_path / "out"
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle"))
    shutil.copytree(android_build(), out)
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong))
    return run_check(copy / "check.sh", out, PRIPRO_CHECK_ONLY="compile")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        # a value of another type, in the app
        (f"{APP}/ClassifyActivity.kt", "url = url.text.toString()", "url = url.text.length", "mismatch"),
        # ExecuTorch's getters of before 1.4
        (EXECUTORCH, "answer.dataAsFloatArray", "answer.getDataAsFloatArray()", "unresolved reference"),
        (EXECUTORCH, "answer.dataAsUnsignedByteArray", "answer.getDataAsUnsignedByteArray()", "unresolved reference"),
        # a method that LiteRT does not have
        (LITERT, "answer.readInt8()", "answer.readUInt8()", "unresolved reference"),
        # an Android class in the library that has none
        (f"{CORE}/Errors.kt", "class PhotoFailed(", "class X(x: android.net.Uri)\n\nclass PhotoFailed(", "android"),
        # something public that nobody decided to be public
        (f"{CORE}/Errors.kt", "public class PhotoFailed", "class PhotoFailed", "explicit API mode"),
    ],
)  # fmt: skip
def test_a_planted_fault_fails_the_check(tmp_path: Path, file: str, right: str, wrong: str, words: str) -> None:
    done = planted(tmp_path, file, right, wrong)
    assert done.returncode != 0
    assert Path(file).name in done.stderr
    assert words in done.stderr


def test_a_missing_resource_fails_the_check(tmp_path: Path) -> None:
    compiler_paths()
    copy, out = tmp_path / "android_demo", tmp_path / "out"
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle"))
    shutil.copytree(android_build(), out)
    (copy / "app/src/main/res/values/colors.xml").unlink()
    done = run_check(copy / "check.sh", out, PRIPRO_CHECK_ONLY="compile")
    assert done.returncode != 0
    assert "color/primary" in done.stderr
