"""A .tflite head on an old tflite-runtime, such as many Android and Raspberry Pi fleets still have.

It wants numpy 1 and so lives in an environment of its own, in the user's cache. Made once, by one command:

    python -m toolkit.emulated.tflite_compat

Float heads agree with today's LiteRT to rounding. On int8 heads the built-in kernels agree to the bit, too, but LiteRT
runs int8 convolutions with XNNPACK by default, and 2.14 with the built-in kernels: the first rescale sums in float, the
second in integers, which differs by a code where a sum lies half way between two.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, UnknownNameError
from . import subsystem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

_PYTHON = "3.11"  # the last one that these runtimes were built for
#: version as users say it -> what its environment holds
_RECIPES = {"2.14": {"tflite-runtime": "2.14.0", "numpy": "1.26.4", "python": _PYTHON}}
VERSIONS = tuple(_RECIPES)
#: runs in that environment: inputs.npz, model -> smashed.npy
_SCRIPT = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
room, entry = sys.argv[1:]
try:
    interpreter = Interpreter(model_path=entry, num_threads=1)
    interpreter.allocate_tensors()
    head = interpreter.get_signature_runner()
    with np.load(room + "/inputs.npz", allow_pickle=False) as inputs:
        (smashed,) = head(**dict(inputs)).values()
except Exception as error:
    sys.exit(" ".join(str(error).split()) or type(error).__name__)
np.save(room + "/smashed.npy", smashed)
"""


def default_root(version: str = VERSIONS[0]) -> Path:
    """Where an environment is kept: $XDG_CACHE_HOME/pripro/tflite-VERSION, by default under ~/.cache."""
    return subsystem.cache_folder(f"tflite-{version}")


def is_ready(version: str = VERSIONS[0], root: Path | None = None) -> bool:
    """Tell whether an environment is there."""
    return subsystem.is_built(root or default_root(version), _recipe(version))


def missing(version: str = VERSIONS[0], root: Path | None = None) -> str | None:
    """Say in one sentence what this machine lacks, with the command that brings it, or return None."""
    if is_ready(version, root) or _interpreter():
        return None
    return (
        f"Checking with tflite-runtime {version} needs Python {_PYTHON} with its venv module; "
        f"get it with: sudo apt-get install python{_PYTHON}-venv"
    )


def prepare(
    version: str = VERSIONS[0],
    root: Path | None = None,
    progress: subsystem.Progress = lambda done, total, text: None,
) -> Path:
    """Make an environment unless it is there; needs the network once (about 20 MB).

    Args:
        version: one of `VERSIONS`.
        root: its folder; default: `default_root`.
        progress: called with (steps done, steps in all, one line of text).

    Returns:
        The folder.

    Raises:
        InputError: no such version, or no Python of the version that it was built for.
        ToolError: a step failed; nothing is left behind.
    """
    final = root or default_root(version)
    recipe = _recipe(version)
    if is_ready(version, final):
        return final
    python = _interpreter()
    if python is None:
        raise InputError(str(missing(version, final)))
    wheels = [f"{name}=={recipe[name]}" for name in ("tflite-runtime", "numpy")]

    def steps(made: Path) -> list[subsystem.Step]:
        pip = [str(made / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        fetch = [*pip, "--only-binary=:all:", *wheels]
        return [
            ("an environment", lambda: _do([python, "-m", "venv", str(made)], "Making an environment")),
            (f"tflite-runtime {version}", lambda: _do(fetch, f"Fetching tflite-runtime {version}")),
        ]

    subsystem.build(final, recipe, steps, progress)
    return final


def run_head(version: str, entry: Path, inputs: Mapping[str, Array], *, root: Path | None = None) -> Array:
    """Execute a .tflite head once on an old runtime.

    Args:
        version: one of `VERSIONS`.
        entry: the .tflite file, with one signature.
        inputs: ``image`` [1,C,H,W] and, for a head with noise, ``eps`` [1,...], float32.
        root: where `prepare` put the environment; default: `default_root`.

    Returns:
        The smashed features [1,c,h,w].

    Raises:
        InputError: no such version, or its environment is not prepared.
        ToolError: the runtime cannot load or execute the head, such as for an operator that it does not know.
    """
    import numpy as np

    home = root or default_root(version)
    if not is_ready(version, home):
        raise InputError(
            f"tflite-runtime {version} is not in {home}; "
            f"set it up with: {sys.executable} -m toolkit.emulated.tflite_compat"
        )
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        np.savez(room / "inputs.npz", allow_pickle=False, **inputs)
        command = [str(home / "bin/python"), "-I", "-c", _SCRIPT, folder, str(entry.resolve())]
        _do(command, f"Running {entry.name} on tflite-runtime {version}")
        result: Array = np.load(room / "smashed.npy", allow_pickle=False)
        return result


def _do(command: list[str], what: str) -> None:
    subsystem.call(command, what)


def _interpreter() -> str | None:
    """Find a Python of the right version that can make environments."""
    if sys.version_info[:2] == (3, 11) and importlib.util.find_spec("ensurepip"):
        return sys.executable
    found = shutil.which(f"python{_PYTHON}")
    return found if found and Path(found).resolve() != Path(sys.executable).resolve() else None


def _recipe(version: str) -> dict[str, str]:
    if version not in _RECIPES:
        raise UnknownNameError("old tflite-runtime", version, VERSIONS)
    return _RECIPES[version]


if __name__ == "__main__":
    subsystem.prepare_command(prepare)
