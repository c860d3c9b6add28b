"""What this machine can do: packages and their versions, export targets, and the tools beside them."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from packaging.requirements import Requirement

from .. import plugins
from ..emulated import arm64, tflite_compat
from ..emulated.subsystem import search_path
from ..errors import InputError

#: import packages of ours with plain names: another distribution may own a folder of the same name
_OURS = ("toolkit", "converters", "cloud_tail")
_DISTRIBUTION = "pripro-toolkit"
#: extras whose packages a person may want to know about
_EXTRAS = ("digits", "privacy", "tail")
_ARM64, _OLD_TFLITE = "toolkit.emulated.arm64", "toolkit.emulated.tflite_compat"
#: program -> what it is for, the Debian package that has it
_PROGRAMS = {
    "adb": ("measure --device", "adb"),
    "qemu-aarch64-static": ("verify --arm64", "qemu-user-static"),
    "aarch64-linux-gnu-g++": ("setting up verify --arm64", "g++-aarch64-linux-gnu"),
    "debootstrap": ("setting up verify --arm64", "debootstrap"),
}


@dataclass(frozen=True)
class Check:
    """One line of the examination. `get` is a command, or empty."""

    name: str
    state: Literal["ok", "missing", "wrong", "not here"]
    detail: str
    get: str = ""


def examine() -> list[Check]:
    """Look at everything, importing none of the heavy packages."""
    return [
        Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *_names(),
        *(_package(name, extra) for name, extra in _packages().items()),
        *_targets(),
        *(_program(name, purpose, package) for name, (purpose, package) in _PROGRAMS.items()),
        _built("aarch64 system", arm64.is_ready(arm64.default_root()), "verify --arm64, 250 MB", _ARM64),
        _built(
            f"tflite-runtime {tflite_compat.VERSIONS[0]}",
            tflite_compat.is_ready(),
            "verify --tflite-compat, 110 MB",
            _OLD_TFLITE,
        ),
    ]


def _names() -> list[Check]:
    """A foreign distribution that owns one of our top-level names overwrites our files silently: find it."""
    owners = metadata.packages_distributions()
    checks = []
    for name in _OURS:
        others = sorted(set(owners.get(name, [])) - {_DISTRIBUTION})
        if others:
            how = f"pip uninstall {' '.join(others)} && pip install --force-reinstall --no-deps {_DISTRIBUTION}"
            checks.append(Check(f"package {name}", "wrong", f"also owned by {', '.join(others)}", how))
    return checks


def _packages() -> dict[str, str]:
    """Distribution -> the first extra that brings it, as the installed metadata says."""
    found: dict[str, str] = {}
    try:
        wanted = [Requirement(line) for line in metadata.requires(_DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:  # run from its folder, not installed
        return {}
    targets = [kind.extra for kind in plugins.known_targets().values() if kind.extra is not None]
    for extra in dict.fromkeys(["torch", *targets, *_EXTRAS]):
        for each in wanted:
            if each.marker and each.marker.evaluate({"extra": extra}) and not each.marker.evaluate({"extra": ""}):
                found.setdefault(each.name, extra)
    return {name: extra for name, extra in found.items() if name != _DISTRIBUTION}


def _package(name: str, extra: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "missing", f"extra {extra!r}", f"pip install '{_DISTRIBUTION}[{extra}]'")


def _targets() -> list[Check]:
    checks = []
    for name, kind in plugins.targets_or_faults().items():
        if isinstance(kind, InputError):
            checks.append(Check(f"target {name}", "wrong", str(kind)))
            continue
        target = kind()
        lacking = target.missing()
        if lacking is not None:
            how = f"pip install {target.requirement()}"
            checks.append(Check(f"target {name}", "missing", f"{lacking} is not installed", how))
            continue
        for backend in target.backends:
            reason = target.cannot_run(backend)
            precisions = ", ".join(target.precisions)
            detail = f"converts {precisions}; {'runs here' if reason is None else reason}"
            checks.append(Check(f"target {name} ({backend})", "ok" if reason is None else "not here", detail))
    return checks


def _program(name: str, purpose: str, package: str) -> Check:
    if shutil.which(name, path=search_path()):
        return Check(name, "ok", f"for {purpose}")
    if "--arm64" in purpose and arm64.installs_packages():
        return Check(name, "missing", f"for {purpose}", _module(_ARM64))
    return Check(name, "missing", f"for {purpose}", f"sudo apt-get install {package}")


def _built(name: str, ready: bool, purpose: str, module: str) -> Check:
    """Something that one command of ours builds in the user's cache, see subsystem.py."""
    return Check(name, "ok" if ready else "missing", f"for {purpose}", "" if ready else _module(module))


def _module(name: str) -> str:
    return f"{sys.executable} -m {name}"
