"""The Xcode project without Xcode: its lint passes, and finds what would not build."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
IOS = ROOT / "ios_demo"
PROJECT = "SplitDemo.xcodeproj/project.pbxproj"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lint_project", IOS / "checks" / "lint_project.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lint = load()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project without its sources' builds."""
    to = tmp_path / "ios_demo"
    shutil.copytree(IOS, to, ignore=shutil.ignore_patterns(".build", "Resources"))
    return to


def test_the_project_is_sound() -> None:
    checked = lint.lint(IOS)
    for needed in ("App/SplitDemo", "App/Info.plist", "App/SplitDemo.entitlements", "SplitKit/Package.swift"):
        assert needed in checked
    assert any(path.endswith("PrivacyInfo.xcprivacy") for path in checked)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        (PROJECT, "path = Info.plist", "path = Infos.plist", "Infos.plist, which does not exist"),
        (PROJECT, "relativePath = SplitKit", "relativePath = Kit", "does not exist|No such file"),
        (PROJECT, "productName = SplitKitCoreML", "productName = SplitML", "SplitML"),
        (PROJECT, "mainGroup = 5D1700000000000000000401", "mainGroup = 5D1700000000000000000499", "0499"),
        (PROJECT, "objectVersion = 77", "objectVersion = 56", "objectVersion"),
        (PROJECT, "rootObject = ", "rootObject ", "expected '='"),
        ("App/Info.plist", "</dict>\n</plist>", "</plist>", "no property list"),
        ("App/SplitDemo.entitlements", "<dict/>", "<dict>", "no property list"),
        (
            "SplitDemo.xcodeproj/xcshareddata/xcschemes/SplitDemo.xcscheme",
            'BlueprintIdentifier = "5D1700000000000000000501"', 'BlueprintIdentifier = "X"',
            "target that does not exist",
        ),
    ],
)  # fmt: skip
def test_what_would_not_build_is_found(copy: Path, file: str, right: str, wrong: str, words: str) -> None:
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong))
    with pytest.raises((lint.LintError, FileNotFoundError), match=words):
        lint.lint(copy)


def test_a_missing_folder_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "App" / "SplitDemo")
    with pytest.raises(lint.LintError, match="App/SplitDemo, which does not exist"):
        lint.lint(copy)


def test_the_apps_runtime_is_the_converters_version() -> None:
    """A .pte must be opened by the ExecuTorch that wrote it."""
    pinned = re.search(r"^executorch==([\d.]+)", (ROOT / "constraints" / "cpu.txt").read_text(), re.M)
    branch = re.search(r"branch = \"swiftpm-([\d.]+)\"", (IOS / "SplitDemo.xcodeproj" / "project.pbxproj").read_text())
    assert pinned is not None
    assert branch is not None
    assert branch.group(1) == pinned.group(1)


def test_stubs_are_never_shipped() -> None:
    for stub in (IOS / "checks" / "stubs").glob("*.swift"):
        assert stub.read_text().startswith("// STUB:")
    project = (IOS / "SplitDemo.xcodeproj" / "project.pbxproj").read_text()
    assert "checks" not in project
    assert "checks" not in (IOS / "SplitKit" / "Package.swift").read_text()
