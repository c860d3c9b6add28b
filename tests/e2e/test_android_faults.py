"""Android: each fault, put back on purpose, fails the check that every module goes through, or a JVM test.

Faults that only a text shows are planted in tests/unit/test_phone_faults.py.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from android_tools import ANDROID, android_build, compiler_paths, run_check

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
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


#: faults in what runs: the file, the right words, the faulty ones, and the JVM tests that must fail
RUNNING: dict[str, tuple[str, str, str, str]] = {
    "3 a pool replaced under open heads": (
        f"{CORE}/head/SharedPool.kt",
        "if (wanted != threads) {",
        "if (wanted < 0) {",
        "classifyGoesOnAfterABenchmarkWithAnotherCount headsOfTwoCountsTakeTurnsWithoutTouchingAFreedPool",
    ),
    "4 a screen that stops another's job": (
        f"{APP}/Job.kt",
        "if (state.running && screen == owner) stopping = why",
        "if (state.running) stopping = why",
        "aScreenThatLeavesStopsAndBlindsNobodyElse",
    ),
    "6 features readable on the way to any private host": (
        f"{CORE}/tail/TailAddress.kt",
        "(name in listed && PRIVATE.matches(name))",
        "PRIVATE.matches(name)",
        "featuresGoInTheClearToThisPhoneAndToListedPrivateHostsOnly",
    ),
    "8 copying and hashing within a load's time": (
        f"{CORE}/bench/Benchmark.kt",
        "            subject.prepare()\n            lateinit var step: () -> Unit\n"
        "            val load = time { step = subject.open() }",
        "            lateinit var step: () -> Unit\n            val load = time {\n                subject.prepare()\n"
        "                step = subject.open()\n            }",
        "whatComesBeforeALoadIsNotItsTime",
    ),
    "8 samples sorted between two timed runs": (
        f"{CORE}/bench/Benchmark.kt",
        "by lazy(LazyThreadSafetyMode.NONE, describe)",
        "= describe()",
        "nothingIsSortedBetweenTwoRunsUnlessSomebodyLooks",
    ),
    "11 noise left in its buffer": (
        f"{CORE}/noise/EpsSource.kt",
        "fun forget(): Unit = buffer.fill(0f)",
        "fun forget(): Unit = Unit",
        "usedNoiseIsForgotten",
    ),
    "11 the key left where it lay": (
        f"{CORE}/noise/EpsSource.kt",
        "        key.fill(0)\n",
        "",
        "aUsedKeyIsOverwrittenWhereItLies",
    ),
    "12 a photo that was stored transposed": (
        f"{CORE}/photo/Orientation.kt",
        "TRANSPOSED(5, true, false, false)",
        "TRANSPOSED(5, true, true, false)",
        "everyOrientationOfACameraIsTurnedUprightAsPillowDoes",
    ),
}


def test_each_fault_in_what_runs_fails_the_test_that_is_named(tmp_path: Path) -> None:
    """All are planted in one copy, which is compiled once; each lies where only the tests named beside it look."""
    copy, out = tmp_path / "android_demo", tmp_path / "out"
    compiler_paths()
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle"))
    shutil.copytree(android_build(), out)
    for file, right, wrong, _ in RUNNING.values():
        text = (copy / file).read_text()
        assert right in text, f"{file}: the fault's place is gone; find it where it is now"
        (copy / file).write_text(text.replace(right, wrong, 1))
    done = run_check(copy / "check.sh", out, PRIPRO_CONTRACT=str(ANDROID.parent / "tests" / "contract"))
    failed = set(re.findall(r"^\d+\) (\w+)\(", done.stdout, re.M))
    assert failed == {test for *_, tests in RUNNING.values() for test in tests.split()}, (
        done.stdout[-4000:] + done.stderr[-2000:]
    )
