"""What the Android tests share: the two paths that check.sh needs, and one build of the app for all of them."""

import os
import subprocess
from pathlib import Path

from once import BUILD, once
from require import require, require_tool

ROOT = Path(__file__).parents[1]
ANDROID = ROOT / "android_demo"
PATHS = ("PRIPRO_KOTLINC", "PRIPRO_ANDROID_JAR")


def compiler_paths() -> list[str]:
    """What check.sh is given, or a skip (a failure in CI) that says how to get it."""
    require_tool("java", "apt-get install openjdk-17-jdk-headless")
    require_tool("aapt2", "apt-get install aapt android-framework-res")
    require(Path("/usr/share/java/junit4.jar").is_file(), "junit4", "apt-get install junit4")
    for name in PATHS:
        how = f"set {name} to that file (android_demo/README.md says where the two come from)"
        require(Path(os.environ.get(name, "")).is_file(), name, how)
    return [os.environ[name] for name in PATHS]


def run_check(script: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *compiler_paths(), str(out)],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, **environment},
        check=False,
    )


def android_build() -> Path:
    """The libraries, the app, tests and tools as classes, and the log of its JVM tests; built once in a run."""
    out = BUILD / "android-check"

    def make() -> None:
        done = run_check(ANDROID / "check.sh", out)
        (out / "check.log").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]

    once("android", make)
    return out


def java(build: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a class of the app's JVM part."""
    return subprocess.run(
        ["java", "-Xmx512m", "-cp", (build / "classpath").read_text().strip(), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=ANDROID / "splitkit-core",
    )
