"""The Android project without Gradle: what a manifest merger, a status bar or a backup would make of its files."""

import importlib.util
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from require import require_tool

ANDROID = Path(__file__).parents[2] / "android_demo"
MAIN = ANDROID / "app" / "src" / "main"
NAME, TOOLS = "{http://schemas.android.com/apk/res/android}", "{http://schemas.android.com/tools}"


def root(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def permissions(manifests: list[Path], app: Path) -> set[str]:
    """What an installed app would ask for: the libraries' permissions and its own, without those that it removes."""
    asked = {item.get(f"{NAME}name", "") for path in [*manifests, app] for item in root(path).iter("uses-permission")}
    removed = {
        item.get(f"{NAME}name", "")
        for item in root(app).iter("uses-permission")
        if item.get(f"{TOOLS}node") == "remove"
    }
    return {name.rsplit(".", 1)[1] for name in asked - removed}


def test_the_installed_app_asks_for_what_the_readme_says() -> None:
    libraries = list((ANDROID / "checks").rglob("AndroidManifest.xml"))
    assert libraries, "the libraries' permissions are recorded"
    asked = permissions(libraries, MAIN / "AndroidManifest.xml")
    readme = (ANDROID / "README.md").read_text()
    said = re.search(r"permissions?,\s+((?:[A-Z_]+(?:,\s+|\s+and\s+)?)+)", readme)
    assert said is not None
    assert asked == set(re.findall("[A-Z_]+", said.group(1)))


def test_insets_do_not_overwrite_a_padding() -> None:
    """A view that fits the system windows takes their insets as its padding, whatever its own was."""
    for path in (MAIN / "res").rglob("*.xml"):
        for style in root(path).iter("style"):
            names = {item.get("name") for item in style.iter("item")}
            fits = "android:fitsSystemWindows" in names
            assert not (fits and any(n and n.startswith("android:padding") for n in names)), style.get("name")
        for view in root(path).iter():
            if view.get("style") == "@style/Screen" or view.get(f"{NAME}fitsSystemWindows") == "true":
                assert not any(key.startswith(f"{NAME}padding") for key in view.keys()), path.name  # noqa: SIM118


def test_the_status_bars_icons_are_dark_on_its_light_ground() -> None:
    theme = next(s for s in root(MAIN / "res/values/styles.xml").iter("style") if s.get("name") == "Theme.Demo")
    items = {item.get("name"): item.text for item in theme}
    assert "Light" in str(theme.get("parent"))
    assert items["android:windowLightStatusBar"] == "true"
    assert "android:statusBarColor" not in items, "ignored from target 35 on"


def test_nothing_is_backed_up_or_moved_to_another_phone() -> None:
    application = next(root(MAIN / "AndroidManifest.xml").iter("application"))
    assert application.get(f"{NAME}allowBackup") == "false"
    rules = str(application.get(f"{NAME}dataExtractionRules")).removeprefix("@xml/")
    ways = {
        way.tag: {item.get("domain") for item in way.iter("exclude")} for way in root(MAIN / f"res/xml/{rules}.xml")
    }
    everything = {"root", "file", "database", "sharedpref", "external"}
    assert ways == {"cloud-backup": everything, "device-transfer": everything}


def test_the_token_is_never_written() -> None:
    settings = (MAIN / "kotlin/org/pripro/demo/ui/Settings.kt").read_text()
    assert "var token" in settings
    assert not re.search(r"token.*by text", settings)


def test_both_lists_of_hosts_without_tls_are_one() -> None:
    listed = {item.text for item in root(MAIN / "res/values/cleartext.xml").iter("item")}
    allowed = {item.text for item in root(MAIN / "res/xml/network_security.xml").iter("domain")}
    assert allowed == listed | {"127.0.0.1", "localhost"}
    base = next(root(MAIN / "res/xml/network_security.xml").iter("base-config"))
    assert base.get("cleartextTrafficPermitted") == "false"


def test_shared_files_go_by_the_apps_own_id() -> None:
    provider = next(root(MAIN / "AndroidManifest.xml").iter("provider"))
    assert provider.get(f"{NAME}authorities") == "${applicationId}.shared"
    assert "org.pripro.demo.shared" not in (MAIN / "kotlin/org/pripro/demo/ui/SharedFiles.kt").read_text()


def test_photos_are_decoded_whole() -> None:
    """A decoder that skips pixels gives the head another picture than Pillow's of the whole photo."""
    for path in ANDROID.glob("*/src/main/kotlin/**/*.kt"):
        assert "inSampleSize" not in path.read_text(), path.name


def test_photos_come_from_the_photo_picker() -> None:
    assert "android.provider.action.PICK_IMAGES" in (MAIN / "kotlin/org/pripro/demo/ui/ClassifyActivity.kt").read_text()


def test_heads_of_executorch_are_opened_by_their_pool_alone() -> None:
    """A load beside the pool would replace the threads under heads that are open; a head is mapped, not read."""
    loads = [
        (path.name, match.group())
        for path in ANDROID.glob("*/src/main/kotlin/**/*.kt")
        for match in re.finditer(r"\bModule\.load\([^)]*\)", path.read_text())
    ]
    assert loads == [("ExecuTorchRuntime.kt", "Module.load(file.path, Module.LOAD_MODE_MMAP, options.threads)")]
    runtime = next(ANDROID.glob("splitkit-executorch/src/main/kotlin/**/ExecuTorchRuntime.kt")).read_text()
    assert re.search(
        r"POOL\.open\(options\.threads\) \{\s+guarded\(\"opened\"\) \{\s+val module = Module\.load\(", runtime
    )


def test_the_noise_in_a_runtimes_input_is_overwritten() -> None:
    runtimes = list(ANDROID.glob("splitkit-*/src/main/kotlin/**/*Runtime.kt"))
    assert len(runtimes) >= 2
    for path in runtimes:
        assert re.search(r"finally \{\s+[^}]*\beps\b[^}]*(fill|write)", path.read_text()), path.name


def test_stubs_are_named_and_no_module_takes_them() -> None:
    for stub in (ANDROID / "checks").rglob("*.kt"):
        assert stub.read_text().startswith("// STUB")
    for script in [*ANDROID.glob("*.kts"), *ANDROID.glob("*/*.kts")]:
        assert "stub" not in script.read_text()


def test_core_depends_on_no_android() -> None:
    for path in (ANDROID / "splitkit-core").rglob("*.kt"):
        assert not re.search(r"^import android[x.]", path.read_text(), re.M), path.name
    assert "com.android" not in (ANDROID / "splitkit-core/build.gradle.kts").read_text()


@pytest.mark.parametrize("name", ["classify", "benchmark", "parity", "live"])
def test_a_drawn_screen_has_the_texts_of_its_layout(name: str) -> None:
    spec = importlib.util.spec_from_file_location("draw_screens", ANDROID / "docs" / "draw_screens.py")
    assert spec is not None
    assert spec.loader is not None
    draw = sys.modules["draw_screens"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    resources = draw.Resources()
    screen = draw.Screen(resources, {}, {}, f"tab_{name}")
    screen.draw(resources.layout(name), 0, 0, draw.WIDTH, draw.HEIGHT)
    drawn = re.sub("<[^>]*>", " ", " ".join(screen.svg)).upper()
    layout = (MAIN / "res" / "layout" / f"{name}.xml").read_text()
    words = [
        resources.strings[found].split()[0].upper() for found in re.findall(r'android:text="@string/(\w+)"', layout)
    ]
    assert words
    assert [word for word in words if word not in drawn] == []
    shown = re.search(r'docs/screens.svg">|docs/screens.svg\)', (ANDROID / "README.md").read_text())
    assert shown is not None
    assert (ANDROID / "docs" / "screens.svg").read_text().count("<image") >= 4, "the kept drawing has no pictures"


@pytest.mark.parametrize("tool", ["sha256sum", "shasum"])
def test_gradlew_checks_the_hash_by_either_tool(tmp_path: Path, tool: str) -> None:
    """Linux has sha256sum, a Mac has shasum; a download that is not the named one is never run."""
    require_tool(tool, "apt-get install coreutils perl")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("bash", "sed", "basename", "dirname", "mkdir", "mktemp", "rm", "mv", "cut", tool, "env"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (bin_ / name).symlink_to(found)
    curl = bin_ / "curl"
    curl.write_text('#!/usr/bin/env bash\nwhile [ "$1" != --output ]; do shift; done\necho other > "$2"\n')
    curl.chmod(curl.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        [str(ANDROID / "gradlew"), "help"],
        env={"PATH": str(bin_), "HOME": str(tmp_path), "GRADLE_USER_HOME": str(tmp_path / "gradle")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing was run" in done.stderr
    assert "not found" not in done.stderr


def test_windows_has_a_gradlew_too() -> None:
    script = (ANDROID / "gradlew.bat").read_bytes()
    assert b"\r\n" in script
    assert b"distributionSha256Sum" in script
