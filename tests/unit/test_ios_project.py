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
    """The project without its sources' builds, and the package beside it."""
    to = tmp_path / "ios_demo"
    shutil.copytree(IOS, to, ignore=shutil.ignore_patterns(".build", "Resources"))
    shutil.copyfile(ROOT / "Package.swift", tmp_path / "Package.swift")
    return to


def test_the_project_is_sound() -> None:
    checked = lint.lint(IOS)
    for needed in ("App/SplitDemo", "App/Info.plist", "App/SplitDemo.entitlements", "../Package.swift"):
        assert needed in checked
    assert any(path.endswith("PrivacyInfo.xcprivacy") for path in checked)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        (PROJECT, "path = Info.plist", "path = Infos.plist", "Infos.plist, which does not exist"),
        (PROJECT, "relativePath = ..", "relativePath = Kit", "does not exist|No such file"),
        (PROJECT, '"EXCLUDED_ARCHS[sdk=iphonesimulator*]" = x86_64;', "", "x86_64"),
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
    assert pinned is not None
    for file in (IOS / PROJECT, ROOT / "Package.swift"):
        branch = re.search(r'branch(?: =|:) "swiftpm-([\d.]+)"', file.read_text())
        assert branch is not None, file.name
        assert branch.group(1) == pinned.group(1), file.name


def test_stubs_are_never_shipped() -> None:
    for stub in (IOS / "checks" / "stubs").glob("*.swift"):
        assert stub.read_text().startswith("// STUB:")
    project = (IOS / "SplitDemo.xcodeproj" / "project.pbxproj").read_text()
    assert "checks" not in project
    assert "checks" not in (ROOT / "Package.swift").read_text()


#: what only a device would notice, as words of the source
SAYS = {
    "SplitKit/Sources/SplitKitExecuTorch/ExecuTorchHead.swift": ["loadMode: .mmap", "autoreleasepool {"],
    "SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift": [
        "await MLModel.load(", "CompiledModels()", "autoreleasepool {", "defer { self.eps?.wipe() }",
    ],
    "App/SplitDemo/Shared/Session.swift": [
        "Keyed<Choice, SplitClient>", "cleartextHosts: Self.cleartextHosts", "SplitKitCleartextHosts",
        "authority: Self.authority()",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("file", "words"), SAYS.items(), ids=lambda item: "")
def test_what_only_a_device_would_notice_is_there(file: str, words: list[str]) -> None:
    text = (IOS / file).read_text()
    for word in words:
        assert word in text


def test_the_token_is_never_written_and_no_client_is_made_for_each_photo() -> None:
    for path in (IOS / "App" / "SplitDemo").rglob("*.swift"):
        text = path.read_text()
        assert not re.search(r"UserDefaults.*token", text), path.name
        assert "TailClient(" not in text, path.name
        assert "SplitClient(" not in text or path.name == "Session.swift", path.name


def test_the_plan_is_no_part_of_a_load() -> None:
    text = (IOS / "SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift").read_text()
    opening = text[text.index("public init(_ head: Manifest.Head, compiled") : text.index("public func smashed")]
    assert "MLComputePlan" in text
    assert "MLComputePlan" not in opening


def test_photos_are_read_whole() -> None:
    """A photo that is made smaller first gives the head another picture than Pillow's of the whole photo."""
    for path in [*(IOS / "App").rglob("*.swift"), *(IOS / "SplitKit/Sources").rglob("*.swift")]:
        assert "image.draw(in:" not in path.read_text(), path.name


def test_the_sample_is_as_short_as_the_readme_says() -> None:
    assert len((IOS / "sample" / "SampleApp.swift").read_text().splitlines()) <= 30
