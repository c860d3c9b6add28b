"""The Debian packages that the aarch64 system is built and run with, installed where that is allowed."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ...errors import ToolError
from .. import subsystem

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
_TO_BUILD = {"aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu", "debootstrap": "debootstrap", "dpkg-deb": "dpkg"}
_APT = ("apt-get", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
#: no questions are asked: the packages' settings stay as they are
_QUIETLY = {"DEBIAN_FRONTEND": "noninteractive"}


def emulator() -> str | None:
    """Find qemu's user-mode emulator."""
    return next((found for name in _EMULATORS if (found := shutil.which(name))), None)


def lacking(*, built: bool) -> list[str]:
    """Names of the packages that are not installed, or only half installed.

    Args:
        built: whether the system is there, so that only what runs it is needed.
    """
    packages = [] if emulator() and _whole("qemu-user-static") else ["qemu-user-static"]
    if built:
        return packages
    tools = _TO_BUILD if os.geteuid() == 0 else {**_TO_BUILD, "fakeroot": "fakeroot"}
    packages += [package for tool, package in tools.items() if not (_found(tool) and _whole(package))]
    return packages if KEYRING.is_file() else [*packages, "debian-archive-keyring"]


def installable() -> bool:
    """Whether this process may install packages."""
    return os.geteuid() == 0 and shutil.which("apt-get", path=subsystem.search_path()) is not None


def command(packages: list[str]) -> str:
    """The command for a person who may install them."""
    return f"sudo apt-get install {' '.join(packages)}"


def steps(packages: list[str]) -> list[subsystem.Step]:
    """What installs them. An installation that broke off, this one or another, is finished first."""
    return [
        ("finding Debian packages", _refresh),
        (f"installing {', '.join(packages)}", lambda: _apt("install", *packages)),
    ]


def _refresh() -> None:
    with contextlib.suppress(ToolError):  # a package may be broken that matters nothing here; else apt-get says so
        subsystem.call(["dpkg", "--force-confold", "--configure", "-a"], "Finishing an installation", extra=_QUIETLY)
    _apt("update")


def _apt(*arguments: str) -> None:
    subsystem.call([*_APT, *arguments], "Installing Debian packages", timeout_s=1800, extra=_QUIETLY)


def _found(tool: str) -> bool:
    return shutil.which(tool, path=subsystem.search_path()) is not None


def _whole(package: str) -> bool:
    """False where the installation of this package broke off; what did not come from a package is whole."""
    if not _found("dpkg-query"):
        return True
    try:
        state = subsystem.call(["dpkg-query", "-W", "-f=${db:Status-Status}", package], "Looking at packages")
    except ToolError:
        return True
    return state in ("installed", "config-files", "not-installed")
