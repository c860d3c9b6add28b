"""Who may know whom, proved in subprocesses."""

import subprocess
import sys
import tomllib
from pathlib import Path

HEAVY = ("torch", "torchvision", "executorch", "coremltools", "litert_torch", "onnx", "onnxruntime", "mlxtend", "jax")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy():
    code = "from toolkit.cli.main import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass"
    assert not loaded_after(code) & set(HEAVY)


def test_every_commands_help_loads_nothing_heavy():
    code = (
        "from toolkit.cli.main import app, COMMANDS\n"
        "for name in COMMANDS:\n"
        "    try:\n        app([name, '--help'])\n    except SystemExit:\n        pass"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_converters_know_neither_toolkit_nor_tail():
    code = (
        "import importlib, pkgutil, converters\n"
        "for module in pkgutil.walk_packages(converters.__path__, 'converters.'):\n"
        "    importlib.import_module(module.name)"
    )
    assert not loaded_after(code) & {"toolkit", "cloud_tail"}


def test_the_wheel_owns_exactly_three_top_level_names():
    root = Path(__file__).parents[2]
    chosen = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    # a process of its own: setuptools puts its distutils in place of Python's, which fails after some other imports
    code = "import setuptools, sys\nprint(*setuptools.find_packages(sys.argv[1], include=sys.argv[2:]))"
    done = subprocess.run([sys.executable, "-c", code, str(root), *chosen], capture_output=True, text=True, check=True)
    tops = {name.split(".")[0] for name in done.stdout.split()}
    assert tops == {"toolkit", "converters", "cloud_tail"}
