"""The Android libraries' public API is the dumped one; a sample app of thirty lines needs no more of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ANDROID = Path(__file__).parents[2] / "android_demo"
DUMP = Path("checks") / "dump_api.py"


def dump(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(folder / DUMP)], capture_output=True, text=True, check=False)


def test_the_api_is_the_dumped_one() -> None:
    done = dump(ANDROID)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        (
            "SplitClient.kt",
            "public fun classify(photo: Photo): Classified",
            "public fun classify(picture: Photo): Classified",
        ),
        ("SplitClient.kt", "public fun protect(photo: Photo)", "internal fun protect(photo: Photo)"),
        (
            "SplitClient.kt",
            "public val token: String? = null,",
            "public val token: String? = null, public val x: Int = 0,",
        ),
        # callers have constants compiled into themselves, and may count on the order of an enum's entries
        ("tail/Wire.kt", "VERSION: Int = 2", "VERSION: Int = 3"),
        ("tail/Wire.kt", '"Pripro-Bundle-Id"', '"Pripro-Bundle"'),
        ("head/HeadRunner.kt", "{ CPU, GPU, NPU }", "{ CPU, NPU, GPU }"),
    ],
)
def test_a_changed_api_is_found(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    copy = tmp_path / "android_demo"
    shutil.copytree(ANDROID, copy, ignore=shutil.ignore_patterns("build", ".gradle", "assets"))
    victim = copy / "splitkit-core/src/main/kotlin/org/pripro/splitkit" / file
    text = victim.read_text()
    assert right in text
    victim.write_text(text.replace(right, wrong))
    done = dump(copy)
    assert done.returncode == 1
    assert "splitkit-core" in done.stdout


def test_the_sample_is_as_short_as_the_readme_says() -> None:
    assert len((ANDROID / "sample" / "SampleActivity.kt").read_text().splitlines()) <= 30
