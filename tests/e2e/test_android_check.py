"""The Android demo compiles, its resources link, its JVM tests pass; a planted type error does not get through."""

import shutil
import subprocess
from pathlib import Path

import pytest
from android_tools import ANDROID, android_build, compiler_paths, run_check

pytestmark = pytest.mark.slow


def test_the_app_compiles_links_and_passes_its_jvm_tests() -> None:
    build = android_build()
    log = (build / "check.log").read_text()
    assert "OK (" in log
    assert "warning:" not in log
    assert (build / "base.apk").stat().st_size > 1000
    for part in ("ui/ClassifyActivity", "head/ExecuTorchRuntime", "head/LiteRtRuntime", "tail/TailClient"):
        assert (build / f"app/org/pripro/demo/{part}.class").is_file()


def test_a_planted_type_error_fails_the_check(tmp_path: Path) -> None:
    compiler_paths()
    copy = tmp_path / "android_demo"
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle"))
    victim = copy / "app/src/main/kotlin/org/pripro/demo/ui/ClassifyActivity.kt"
    text = victim.read_text()
    assert "app.settings.url = url.text.toString()" in text
    victim.write_text(text.replace("app.settings.url = url.text.toString()", "app.settings.url = url.text.length"))
    done = run_check(copy / "check.sh", tmp_path / "out", PRIPRO_CHECK_ONLY="compile")
    assert done.returncode != 0
    assert "ClassifyActivity.kt" in done.stderr
    assert "mismatch" in done.stderr


def test_a_missing_resource_fails_the_check(tmp_path: Path) -> None:
    compiler_paths()
    copy = tmp_path / "android_demo"
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle"))
    (copy / "app/src/main/res/values/colors.xml").unlink()
    done = run_check(copy / "check.sh", tmp_path / "out", PRIPRO_CHECK_ONLY="compile")
    assert done.returncode != 0
    assert "color/primary" in done.stderr


def test_the_check_explains_itself() -> None:
    done = subprocess.run([str(ANDROID / "check.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "KOTLINC ANDROID_JAR EXECUTORCH_JAR" in done.stderr
