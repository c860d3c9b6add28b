"""cloud_tail stays small: no torch, no toolkit, no converters, and the packed files need numpy alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cloud_tail

HOME = Path(cloud_tail.__file__).parent
FILES = sorted(HOME.glob("*.py"))
FORBIDDEN = {
    "torch",
    "toolkit",
    "converters",
    "executorch",
    "coremltools",
    "pickle",
    "marshal",
    "shelve",
    "requests",
    "onnx",
}
#: run inside another server's process, never inside ours
FOREIGN = {"handler", "ray_app"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_forbidden_import(path):
    assert not FORBIDDEN & set(imported(path))


def test_importing_everything_loads_no_torch():
    names = [f"cloud_tail.{path.stem}" for path in FILES if path.stem not in FOREIGN | {"__init__", "__main__"}]
    code = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
    code += "print(sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOME.parent)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {
        "torch",
        "toolkit",
        "converters",
        "executorch",
        "coremltools",
        "onnxruntime",
        "openvino",
        "ray",
        "rich",
        "typer",
    }


def test_packed_files_need_numpy_alone():
    allowed = {"numpy", "onnxruntime", "pripro_tail"} | set(sys.stdlib_module_names)
    for name in ("errors", "signature", "wire", "messages", "server_codec", "calls", "handler"):
        assert set(imported(HOME / f"{name}.py")) <= allowed


def test_modules_stay_readable():
    for path in FILES:
        assert len(path.read_text().splitlines()) <= 400, path.name
