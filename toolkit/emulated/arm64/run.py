"""One head on aarch64 kernels: inputs go over as files, the smashed features come back as one."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ... import plugins
from ...errors import InputError, ToolError, UnknownNameError
from ..subsystem import call
from .root import default_root, emulated, is_ready

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

COMMAND = f"{sys.executable} -m toolkit.emulated.arm64"
#: how converters call this system
_SYSTEM = "arm64"
#: such a program is given inputs in this order: a .pte keeps the order of its inputs, not their names
_ORDER = ("image", "eps")


def run_head(target: str, entry: Path, inputs: Mapping[str, Array], *, root: Path | None = None) -> Array:
    """Execute a converted head once on aarch64 code.

    Args:
        target: one of `targets`.
        entry: its file.
        inputs: ``image`` [1,C,H,W] and, for a head with noise, ``eps`` [1,...], float32.
        root: where `prepare` put the system; default: `default_root`.

    Returns:
        The smashed features [1,c,h,w].

    Raises:
        InputError: the system is not prepared, or the inputs do not fit.
        ToolError: the head cannot be executed there.
    """
    if target not in targets():
        raise UnknownNameError("target for ARM64", target, targets())
    home = root or default_root()
    if not is_ready(home):
        raise InputError(f"The ARM64 system is not in {home} in the versions in use; set it up with: {COMMAND}")
    if not set(inputs) <= set(_ORDER) or any(value.dtype != "float32" for value in inputs.values()):
        given = ", ".join(f"{name} {value.dtype}" for name, value in inputs.items())
        raise InputError(f"A head takes image and eps as float32; it was given {given}.")
    with tempfile.TemporaryDirectory() as folder:
        program = plugins.target(target).emulated[_SYSTEM]
        run = _python if program == "python" else partial(_program, program)
        return run(target, home, entry.resolve(), inputs, Path(folder))


def targets() -> list[str]:
    """Targets whose files can be executed there, as their converters say."""
    return [name for name, kind in plugins.known_targets().items() if _SYSTEM in kind.emulated]


def _program(program: str, target: str, root: Path, entry: Path, inputs: Mapping[str, Array], room: Path) -> Array:
    import numpy as np

    feed: list[str] = []
    for name in (name for name in _ORDER if name in inputs):
        inputs[name].astype("<f4").tofile(room / name)
        feed += [str(room / name), "x".join(map(str, inputs[name].shape))]
    output = room / "smashed"
    command = [*emulated(root), str(root / "opt" / program), str(entry), str(output), *feed]
    printed = call(command, f"Running {entry.name} on ARM64")
    shape = [int(size) for size in printed.splitlines()[-1].split("x")]
    return np.fromfile(output, dtype="<f4").reshape(shape)


def _python(target: str, root: Path, entry: Path, inputs: Mapping[str, Array], room: Path) -> Array:
    """Run guest.py there, with our own converters package beside it: the same runner code on both processors."""
    import numpy as np

    kind = plugins.target(target)
    for package in {"converters", kind.__module__.partition(".")[0]}:
        code = Path(str(importlib.import_module(package).__file__)).resolve()
        code = code.parent if code.name == "__init__.py" else code
        (room / code.name).symlink_to(code)
    np.savez(room / "inputs.npz", allow_pickle=False, **inputs)
    guest = Path(__file__).with_name("guest.py")
    arguments = [str(room), str(root / "opt/site"), kind.__module__, kind.__qualname__, str(entry)]
    call(
        [*emulated(root), str(root / "usr/bin/python3.11"), "-I", "-B", str(guest), *arguments],
        f"Running {entry.name} on ARM64",
    )
    made = room / "smashed.npy"
    if not made.is_file():
        raise ToolError(
            f"Running {entry.name} on ARM64 gave no result; remove {root} and set it up again with: {COMMAND}"
        )
    result: Array = np.load(made, allow_pickle=False)
    return result
