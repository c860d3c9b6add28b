"""Android: every module compiles by itself, resources link, JVM tests pass."""

import subprocess

import pytest
from android_tools import ANDROID, android_build

pytestmark = pytest.mark.slow


def test_every_module_compiles_links_and_passes_its_jvm_tests() -> None:
    build = android_build()
    log = (build / "check.log").read_text()
    assert "OK (" in log
    assert "warning:" not in log
    assert (build / "base.apk").stat().st_size > 1000
    for part in (
        "splitkit-core/org/pripro/splitkit/SplitClient",
        "splitkit-android/org/pripro/splitkit/android/BitmapPhoto",
        "splitkit-executorch/org/pripro/splitkit/executorch/ExecuTorchRuntime",
        "splitkit-litert/org/pripro/splitkit/litert/LiteRtRuntime",
        "app/org/pripro/demo/ui/ClassifyActivity",
    ):
        assert (build / f"{part}.class").is_file()


def test_the_check_explains_itself() -> None:
    done = subprocess.run([str(ANDROID / "check.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "KOTLINC ANDROID_JAR" in done.stderr
