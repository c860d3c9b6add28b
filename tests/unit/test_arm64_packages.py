"""`python -m toolkit.emulated.arm64` brings the Debian packages it needs where it may, and else says what to type."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.cli import _doctor as doctor
from toolkit.emulated import arm64
from toolkit.emulated.arm64 import debian
from toolkit.emulated.arm64.root import prepare
from toolkit.emulated.subsystem import build
from toolkit.errors import InputError, ToolError

#: an apt-get that notes what it is told; it breaks off once where a file says so
APT_GET = """#!/bin/sh
here=$(dirname "$0")
echo "$DEBIAN_FRONTEND $*" >> "$here/told"
case "$*" in *install*)
  [ -f "$here/broken" ] && { echo "E: Could not get lock" >&2; exit 100; }
  printf '#!/bin/sh\\n' > "$here/qemu-aarch64-static"; chmod +x "$here/qemu-aarch64-static";;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but an apt-get, seen by its administrator."""
    program(tmp_path, "apt-get", APT_GET)
    program(tmp_path, "dpkg", "#!/bin/sh\n")
    monkeypatch.setattr(debian.subsystem, "search_path", lambda: f"{tmp_path}:/bin")
    monkeypatch.setattr(debian.shutil, "which", lambda name, path=None: found(tmp_path, name))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def found(folder: Path, name: str) -> str | None:
    return str(folder / name) if (folder / name).exists() else None


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def install(packages: list[str]) -> None:
    for _, step in debian.steps(packages):
        step()


def test_root_gets_what_is_missing_without_being_asked(machine: Path):
    assert debian.lacking(built=True) == ["qemu-user-static"]
    install(debian.lacking(built=True))
    assert debian.lacking(built=True) == []
    update, told = (machine / "told").read_text().splitlines()
    assert update.startswith("noninteractive -y")
    assert update.endswith("update")
    assert told.endswith("install qemu-user-static")
    assert "--no-install-recommends" in told


def test_what_broke_off_is_one_sentence_and_done_by_the_next_call(machine: Path):
    (machine / "broken").touch()
    with pytest.raises(ToolError, match=r"^Installing Debian packages failed \(apt-get: E: Could not get lock\)\.$"):
        install(["qemu-user-static"])
    (machine / "broken").unlink()
    install(debian.lacking(built=True))
    assert debian.lacking(built=True) == []


@pytest.mark.parametrize(("state", "lacks"), [("installed", []), ("half-configured", ["qemu-user-static"])])
def test_a_package_that_is_there_by_half_is_installed_again(machine: Path, state: str, lacks: list[str]):
    program(machine, "qemu-aarch64-static", "#!/bin/sh\n")
    program(machine, "dpkg-query", f"#!/bin/sh\nprintf {state}\n")
    assert debian.lacking(built=True) == lacks


def test_others_are_told_what_to_type(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match=r"needs qemu-user-static, .*; get it with: sudo apt-get install qemu-user-st"):
        prepare(tmp_path / "root", install=True)
    assert not (machine / "told").exists()


def test_nothing_is_installed_unasked(machine: Path, tmp_path: Path):
    with pytest.raises(InputError, match="sudo apt-get install"):
        prepare(tmp_path / "root")
    assert not (machine / "told").exists()


@pytest.mark.parametrize(
    ("may", "command"), [(True, "-m toolkit.emulated.arm64"), (False, "sudo apt-get install debootstrap")]
)
def test_doctor_names_the_command(monkeypatch: pytest.MonkeyPatch, may: bool, command: str):
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(arm64, "installs_packages", lambda: may)
    (check,) = [check for check in doctor.examine() if check.name == "debootstrap"]
    assert check.state == "missing"
    assert check.get.endswith(command)


def test_a_killed_builders_folder_is_swept_away(tmp_path: Path):
    (tmp_path / ".arm64-killed/made").mkdir(parents=True)
    build(tmp_path / "arm64", {"of": "1"}, lambda made: [], lambda done, total, text: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".arm64.lock", "arm64"]
