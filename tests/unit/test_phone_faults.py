"""Phone faults that only a project's text shows: each one, put back on purpose, fails the check named beside it.

Faults in what runs are planted in tests/e2e/test_android_faults.py and tests/e2e/test_ios_faults.py.
"""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
#: the file of the project, the right words, the faulty ones, the check that must find them, its argument or nothing
Fault = tuple[str, str, str, str, str]
MANIFEST, UI = "app/src/main/AndroidManifest.xml", "app/src/main/kotlin/org/pripro/demo/ui"
EXECUTORCH = "splitkit-executorch/src/main/kotlin/org/pripro/splitkit/executorch/ExecuTorchRuntime.kt"
LITERT = "splitkit-litert/src/main/kotlin/org/pripro/splitkit/litert/LiteRtRuntime.kt"
SAYS = "test_what_only_a_device_would_notice_is_there"

ANDROID: dict[str, Fault] = {
    "3 heads beside the pool": (
        EXECUTORCH,
        "POOL.open(options.threads) {",
        "run {",
        "test_heads_of_executorch_are_opened_by_their_pool_alone",
        "",
    ),
    "5 LiteRT's permissions": (
        MANIFEST,
        ' tools:node="remove"',
        "",
        "test_the_installed_app_asks_for_what_the_readme_says",
        "",
    ),
    "6 features readable by all": (
        "app/src/main/res/xml/network_security.xml",
        '<base-config cleartextTrafficPermitted="false"',
        '<base-config cleartextTrafficPermitted="true"',
        "test_both_lists_of_hosts_without_tls_are_one",
        "",
    ),
    "6 a host in one list": (
        "app/src/main/res/xml/network_security.xml",
        "</domain-config>",
        "<domain>192.168.0.9</domain></domain-config>",
        "test_both_lists_of_hosts_without_tls_are_one",
        "",
    ),
    "9 insets over a padding": (
        "app/src/main/res/values/styles.xml",
        '<item name="android:fitsSystemWindows">true</item>',
        '<item name="android:fitsSystemWindows">true</item><item name="android:padding">12dp</item>',
        "test_insets_do_not_overwrite_a_padding",
        "",
    ),
    "9 white icons on white": (
        "app/src/main/res/values/styles.xml",
        'windowLightStatusBar">true',
        'windowLightStatusBar">false',
        "test_the_status_bars_icons_are_dark_on_its_light_ground",
        "",
    ),
    "10 a backup": (
        MANIFEST,
        'allowBackup="false"',
        'allowBackup="true"',
        "test_nothing_is_backed_up_or_moved_to_another_phone",
        "",
    ),
    "10 a move to another phone": (
        "app/src/main/res/xml/data_extraction.xml",
        '<device-transfer>\n        <exclude domain="root" />',
        "<device-transfer>",
        "test_nothing_is_backed_up_or_moved_to_another_phone",
        "",
    ),
    "10 a token on the disk": (
        f"{UI}/Settings.kt",
        "var token",
        'var token: String by text("token")\n    var other',
        "test_the_token_is_never_written",
        "",
    ),
    "11 noise left in ExecuTorch's input": (
        EXECUTORCH,
        'buffers["eps"]?.let { fill(it, FloatArray(it.capacity())) }',
        "Unit",
        "test_the_noise_in_a_runtimes_input_is_overwritten",
        "",
    ),
    "11 noise left in LiteRT's input": (
        LITERT,
        'nothing?.let { inputs.getValue("eps").writeFloat(it) }',
        "Unit",
        "test_the_noise_in_a_runtimes_input_is_overwritten",
        "",
    ),
    "12 a head read into memory": (
        EXECUTORCH,
        "Module.LOAD_MODE_MMAP",
        "Module.LOAD_MODE_FILE",
        "test_heads_of_executorch_are_opened_by_their_pool_alone",
        "",
    ),
    "12 documents, not photos": (
        f"{UI}/ClassifyActivity.kt",
        "android.provider.action.PICK_IMAGES",
        "android.intent.action.OPEN_DOCUMENT",
        "test_photos_come_from_the_photo_picker",
        "",
    ),
    "12 photos made smaller first": (
        "splitkit-android/src/main/kotlin/org/pripro/splitkit/android/PhotoReader.kt",
        "import android.graphics.Bitmap\n",
        "import android.graphics.Bitmap\n// options.inSampleSize = 4\n",
        "test_photos_are_decoded_whole",
        "",
    ),
    "12 one sum tool": ("gradlew", "shasum", "sha256sum", "test_gradlew_checks_the_hash_by_either_tool", "shasum"),
    "12 no sum on Windows": (
        "gradlew.bat",
        "distributionSha256Sum",
        "distributionUrl",
        "test_windows_has_a_gradlew_too",
        "",
    ),
    "12 another app's authority": (
        MANIFEST,
        "${applicationId}.shared",
        "org.pripro.demo.shared",
        "test_shared_files_go_by_the_apps_own_id",
        "",
    ),
    "an Android class in the core": (
        "splitkit-core/src/main/kotlin/org/pripro/splitkit/Errors.kt",
        "package org.pripro.splitkit\n",
        "package org.pripro.splitkit\n\nimport android.net.Uri\n",
        "test_core_depends_on_no_android",
        "",
    ),
}

PROJECT = "SplitDemo.xcodeproj/project.pbxproj"
COREML = "SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift"
SESSION, SOUND = "App/SplitDemo/Shared/Session.swift", "test_the_project_is_sound"
IOS: dict[str, Fault] = {
    "2 a simulator that has no slice": (PROJECT, '"EXCLUDED_ARCHS[sdk=iphonesimulator*]" = x86_64;', "", SOUND, ""),
    "6 an authority that nobody asks": (SESSION, "authority: Self.authority()", "authority: nil", SAYS, SESSION),
    "6 hosts that nobody listed": (
        SESSION,
        "cleartextHosts: Self.cleartextHosts",
        'cleartextHosts: ["192.168.0.9"]',
        SAYS,
        SESSION,
    ),
    "7 a client without its key": (SESSION, "Keyed<Choice, SplitClient>()", "Keyed<Int, SplitClient>()", SAYS, SESSION),
    "8 the plan within a load": (
        COREML,
        "inputs = try MLDictionaryFeatureProvider(dictionary: features)",
        "inputs = try MLDictionaryFeatureProvider(dictionary: features)\n"
        "            _ = try await MLComputePlan.load()",
        "test_the_plan_is_no_part_of_a_load",
        "",
    ),
    "8 a client for each photo": (
        "App/SplitDemo/Classify/ClassifyView.swift",
        "try await session.client()",
        "try SplitClient(bundle: bundle, tail: nil, runtimes: [])",
        "test_the_token_is_never_written_and_no_client_is_made_for_each_photo",
        "",
    ),
    "10 a token on the disk": (
        SESSION,
        'var token = ""',
        'var token = "" { didSet { UserDefaults.standard.set(token, forKey: "token") } }',
        "test_the_token_is_never_written_and_no_client_is_made_for_each_photo",
        "",
    ),
    "11 noise left in Core ML's input": (COREML, "defer { self.eps?.wipe() }", "", SAYS, COREML),
    "12 a model loaded by the caller's thread": (
        COREML,
        "await MLModel.load(contentsOf: compiled",
        "MLModel(contentsOf: compiled",
        SAYS,
        COREML,
    ),
    "12 a model compiled at each start": (
        COREML,
        "CompiledModels().model(of: head) { try await MLModel.compileModel(at: package) }",
        "MLModel.compileModel(at: package)",
        SAYS,
        COREML,
    ),
    "12 no pool around a run": (
        COREML,
        "try autoreleasepool { try run(image, eps) }",
        "try run(image, eps)",
        SAYS,
        COREML,
    ),
    "12 photos made smaller first": (
        "App/SplitDemo/Classify/Picture.swift",
        "import",
        "// image.draw(in: small)\nimport",
        "test_photos_are_read_whole",
        "",
    ),
    "a stub that the package takes": (
        "../Package.swift",
        'path: "\\(kit)/Sources/SplitKitExecuTorch"',
        'path: "ios_demo/checks/stubs"',
        "test_stubs_are_never_shipped",
        "",
    ),
}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"planted_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def planted(project: Path, fault: Fault) -> Iterator[None]:
    path = project / fault[0]
    right = path.read_bytes()
    assert fault[1].encode() in right, "the fault's place is gone; find it where it is now"
    path.write_bytes(
        right.replace(fault[1].encode(), fault[2].encode(), 1 if "<" in fault[2] or "\n" in fault[2] else -1)
    )
    yield
    path.write_bytes(right)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both projects and what lies beside them, once for all faults."""
    to = tmp_path_factory.mktemp("phones")
    unwanted = shutil.ignore_patterns("build", ".build", ".gradle", "assets", "Resources")
    for name in ("android_demo", "ios_demo", "constraints"):
        shutil.copytree(ROOT / name, to / name, ignore=unwanted)
    shutil.copyfile(ROOT / "Package.swift", to / "Package.swift")
    return to


@pytest.mark.parametrize("fault", ANDROID.values(), ids=ANDROID.keys())
def test_a_planted_android_fault_is_found(
    fault: Fault, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks, project = load("test_android_project"), copy / "android_demo"
    monkeypatch.setattr(checks, "ANDROID", project)
    monkeypatch.setattr(checks, "MAIN", project / "app" / "src" / "main")
    check = getattr(checks, fault[3])

    def run(turn: str) -> None:
        (tmp_path / turn).mkdir()
        check(*([tmp_path / turn, fault[4]] if fault[4] else []))

    run("right")
    with planted(project, fault), pytest.raises((AssertionError, StopIteration)):
        run("wrong")


@pytest.mark.parametrize("fault", IOS.values(), ids=IOS.keys())
def test_a_planted_ios_fault_is_found(fault: Fault, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks, project = load("test_ios_project"), copy / "ios_demo"
    monkeypatch.setattr(checks, "IOS", project)
    monkeypatch.setattr(checks, "ROOT", copy)
    given = [fault[4], checks.SAYS[fault[4]]] if fault[4] else []
    check = getattr(checks, fault[3])
    check(*given)
    with planted(project, fault), pytest.raises((AssertionError, checks.lint.LintError)):
        check(*given)
