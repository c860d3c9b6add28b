"""A missing tool is a failure in CI and a skip with its reason on a user's machine."""

import importlib.util
import os
import shutil

import pytest


def _absent(what: str, how: str) -> None:
    sentence = f"{what} is missing; get it with: {how}"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def require_tool(program: str, how: str) -> str:
    """Return the path of a program, or skip (fail in CI) with the command that installs it."""
    path = shutil.which(program)
    if path is None:
        _absent(program, how)
    return str(path)


def require_package(name: str, extra: str) -> None:
    """Go on only where a Python package can be imported."""
    if importlib.util.find_spec(name) is None:
        _absent(f"the package {name}", f"pip install 'pripro-toolkit[{extra}]'")


def require(condition: bool, what: str, how: str) -> None:
    """Go on only where a condition of the machine holds."""
    if not condition:
        _absent(what, how)
