"""Listing and choosing targets costs nothing: no converter file imports what it converts with."""

import subprocess
import sys

import pytest

import converters
from toolkit import plugins

HEAVY = (
    "torch",
    "executorch",
    "torchao",
    "coremltools",
    "litert_torch",
    "ai_edge_litert",
    "onnx",
    "onnxruntime",
    "numpy",
)
ASK = """
import importlib, sys
sys.path.insert(0, {root!r})
module = importlib.import_module("converters.to_{target}")
classes = [value for value in vars(module).values() if isinstance(value, type) and value.__name__ == "To{title}"]
classes[0]().missing()
print(*sorted(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize("target", plugins.names(converters, "to_"))
def test_importing_a_converter_and_asking_what_it_lacks_loads_nothing_heavy(target):
    root = converters.__path__[0].rsplit("/", 1)[0]
    code = ASK.format(root=root, target=target, title=target.title(), heavy=HEAVY)
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []


def test_converters_know_neither_the_toolkit_nor_the_tail():
    code = (
        "import sys, pkgutil, importlib, converters\n"
        "for module in pkgutil.iter_modules(converters.__path__):\n"
        "    importlib.import_module('converters.' + module.name) if module.name.startswith('to_') else None\n"
        "print(*[name for name in sys.modules if name.split('.')[0] in ('toolkit', 'cloud_tail')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
