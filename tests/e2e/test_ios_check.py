"""The iOS demo without a Mac: SplitKit passes its tests, what only Apple builds type-checks."""

import re
import shutil
from pathlib import Path

import pytest
from ios_tools import IOS, ROOT, build, run
from require import require_tool

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


CONSUMER = """
// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "Consumer",
    dependencies: [.package(url: "ADDRESS", branch: "main")],
    targets: [.executableTarget(name: "consumer", dependencies: [.product(name: "SplitKit", package: "NAME")])])
"""
MAIN = """
import Foundation
import SplitKit

do {
    let bundle = try ModelBundle(at: URL(fileURLWithPath: CommandLine.arguments[1]))
    _ = try SplitClient(bundle: bundle, tail: "https://tail.example.org", runtimes: [])
} catch {
    print(error.localizedDescription)
}
"""


def test_swiftpm_takes_the_package_by_the_repositorys_address(tmp_path: Path) -> None:
    """A package of somebody else names this repository by URL; nothing but the repository itself is fetched."""
    require_tool("git", "apt-get install git")
    origin, consumer = tmp_path / "origin", tmp_path / "consumer"
    shutil.copytree(IOS, origin / "ios_demo", ignore=shutil.ignore_patterns(".build", "Resources"))
    shutil.copyfile(ROOT / "Package.swift", origin / "Package.swift")
    git = ["git", "-C", origin, "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        done = run(*git, *command)
        assert done.returncode == 0, done.stderr
    (consumer / "Sources" / "consumer").mkdir(parents=True)
    manifest = CONSUMER.replace("ADDRESS", origin.as_uri()).replace("NAME", origin.name).lstrip()
    (consumer / "Package.swift").write_text(manifest)
    (consumer / "Sources" / "consumer" / "main.swift").write_text(MAIN)
    done = run("swift", "run", "--package-path", consumer, "consumer", tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "is not a bundle" in done.stdout
    assert "executorch" not in done.stderr, "an optional package was looked up"


def test_executorch_is_one_word_away() -> None:
    """The trait adds ExecuTorch's package; without a network its absence is all that can be seen of it here."""
    done = run("swift", "package", "dump-package")
    assert done.returncode == 0, done.stderr
    assert '"SplitKitExecuTorch"' in done.stdout
    assert "github.com/pytorch/executorch" in done.stdout
