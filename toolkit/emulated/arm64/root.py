"""The aarch64 system: Debian's C library and Python, PyPI's aarch64 wheels, and a runner for .pte files.

It never boots: qemu-user opens its files in place of the host's (`-L`), including /proc/cpuinfo, which the
runtimes read to choose their kernels; the host's would tell them of an x86 processor and crash them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from pathlib import Path

from ...errors import InputError
from .. import subsystem
from . import debian

_HERE = Path(__file__).parent
_SUITE = "bookworm"
_PYTHON = "3.11"  # the suite's
#: what the C library, the C++ library and Python need; the rest of a minimal Debian is never unpacked
_DEBIAN = (
    "libc6", "libgcc-s1", "libstdc++6", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "libcrypt1", "libuuid1",
)  # fmt: skip
_WHEELS = ("numpy", "onnxruntime", "ai-edge-litert")
_LIBRARIES = (
    "executorch", "executorch_kernels_optimized", "executorch_kernels_quantized", "executorch_backend_xnnpack",
    "executorch_threadpool",
)  # fmt: skip
#: Cortex-A76: a common phone core; `max` would switch on extensions that the emulator gets wrong
CPU = "cortex-a76"


def default_root() -> Path:
    """Where the system is kept: $XDG_CACHE_HOME/pripro/arm64, by default ~/.cache/pripro/arm64."""
    return subsystem.cache_folder("arm64")


def missing(root: Path | None = None) -> str | None:
    """Say in one sentence what this machine lacks, with the command that brings it, or return None."""
    built = is_ready(root or default_root())
    packages = debian.lacking(built=built)
    if packages:
        return f"Checking on ARM64 needs {', '.join(packages)}; get it with: {debian.command(packages)}"
    return None if built else _missing_wheels()


def _missing_wheels() -> str | None:
    absent = [name for name in ("executorch", *_WHEELS) if not _installed(name)]
    if absent:
        return (
            f"Checking on ARM64 follows the installed versions of {', '.join(absent)}, which are not installed; "
            "get them with: pip install 'pripro-toolkit[executorch,tflite,onnx]'"
        )
    if importlib.util.find_spec("pip") is None:
        return "Checking on ARM64 fetches wheels with pip, which is not installed; get it with: python -m ensurepip"
    return None


def is_ready(root: Path) -> bool:
    """Tell whether the system is there, in the versions that are installed here."""
    return subsystem.is_built(root, _recipe())


def prepare(
    root: Path | None = None,
    progress: subsystem.Progress = lambda done, total, text: None,
    *,
    install: bool = False,
) -> Path:
    """Build the system unless it is there; needs the network once (about 150 MB).

    Args:
        root: its folder; default: `default_root`.
        progress: called with (steps done, steps in all, one line of text).
        install: first install the Debian packages that are missing, where this process may; another 100 MB.

    Returns:
        The folder.

    Raises:
        InputError: a tool is missing.
        ToolError: a step failed; nothing is left behind, and the next call goes on from there.
    """
    final = root or default_root()
    ready = is_ready(final)
    packages = debian.lacking(built=ready) if install else []
    before = debian.steps(packages) if packages and debian.installable() else []
    if packages and not before:
        raise InputError(str(missing(final)))
    lack = None if ready else _missing_wheels() if before else missing(final)
    if lack:
        raise InputError(lack)

    def steps(made: Path) -> list[subsystem.Step]:
        return [
            ("Debian's C library and Python", lambda: _debian(made)),
            ("wheels of onnxruntime and LiteRT", lambda: _wheels(made)),
            ("ExecuTorch", lambda: _executorch(made)),
            ("first start under emulation", lambda: _try(made)),
        ]

    total = len(before) + (0 if ready else len(steps(final)))
    for done, (text, step) in enumerate(before):
        progress(done, total, text)
        step()
    if not ready:
        subsystem.build(final, _recipe(), steps, lambda done, _, text: progress(len(before) + done, total, text))
    return final


def _debian(root: Path) -> None:
    """Fetch packages whose signatures debootstrap checks, and unpack the few that are needed."""
    fetched = root.parent / "debian"
    prefix = [] if os.geteuid() == 0 else ["fakeroot"]
    subsystem.call([
        *prefix, "debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", "--force-check-gpg",
        f"--keyring={debian.KEYRING}", "--include=python3.11-minimal,libpython3.11-stdlib,libstdc++6", _SUITE,
        str(fetched),
    ], "Fetching Debian packages")  # fmt: skip
    for name in _DEBIAN:
        for package in (fetched / "var/cache/apt/archives").glob(f"{name}_*.deb"):
            subsystem.call(["dpkg-deb", "-x", str(package), str(root)], f"Unpacking {name}")
    shutil.rmtree(root / "usr/share", ignore_errors=True)
    (root / "proc").mkdir()
    shutil.copy(_HERE / "cpuinfo.a76", root / "proc/cpuinfo")


def _wheels(root: Path) -> None:
    wanted = [f"{name}=={importlib.metadata.version(name)}" for name in _WHEELS]
    _pip("install", "--target", str(root / "opt/site"), *wanted)


def _executorch(root: Path) -> None:
    """Unpack the wheel's libraries and build the runner against its headers."""
    version = importlib.metadata.version("executorch")
    wheel = root.parent / "wheel"
    _pip("install", "--no-deps", "--target", str(wheel), f"executorch=={version}")
    package = wheel / "executorch"
    headers = package / "include"
    shutil.copytree(package / "lib", root / "opt/executorch/lib")
    subsystem.call([
        "aarch64-linux-gnu-g++", "-std=c++17", "-O1", "-w",
        "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_USE_THREADPOOL",
        f"-I{headers}", f"-I{headers / 'executorch/runtime/core/portable_type/c10'}", str(_HERE / "pte_run.cpp"),
        f"-L{package / 'lib'}", "-Wl,--no-as-needed", *(f"-l{name}" for name in _LIBRARIES),
        "-Wl,-rpath,/opt/executorch/lib", "-o", str(root / "opt/pte_run"),
    ], "Compiling the runner for .pte files")  # fmt: skip


def _try(root: Path) -> None:
    """Start both once; this also leaves Python's compiled files behind, which makes later starts faster."""
    code = f"import sys; sys.path.insert(0, {str(root / 'opt/site')!r}); import onnxruntime, ai_edge_litert.interpreter"
    subsystem.call([*emulated(root), str(root / f"usr/bin/python{_PYTHON}"), "-I", "-c", code], "Starting the runtimes")
    subsystem.call([*emulated(root), str(root / "opt/pte_run"), "--version"], "Starting the runner for .pte files")


def emulated(root: Path) -> list[str]:
    """Begin a command line whose program runs as aarch64 code."""
    found = debian.emulator()
    if found is None:
        raise InputError(str(missing(root)))
    return [found, "-cpu", CPU, "-L", str(root)]


def _pip(*arguments: str) -> None:
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 24, 17)] + ["manylinux2014_aarch64"]
    subsystem.call([
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, "--quiet",
        "--root-user-action=ignore", "--only-binary=:all:", "--implementation=cp", f"--python-version={_PYTHON}",
        *(f"--platform={name}" for name in platforms),
    ], "Fetching aarch64 wheels")  # fmt: skip


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _recipe() -> dict[str, str]:
    """What the system is made of; another value means it has to be built again."""
    versions = {name: importlib.metadata.version(name) for name in ("executorch", *_WHEELS) if _installed(name)}
    source = hashlib.sha256((_HERE / "pte_run.cpp").read_bytes()).hexdigest()
    return {"suite": _SUITE, "runner": source, **versions}
