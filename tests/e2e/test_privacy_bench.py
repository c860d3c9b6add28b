"""pripro bench with a method in a file of somebody else's: run, a table made, run again with nothing computed."""

import json
from pathlib import Path

import pytest
import torch
from forked_cli import Forked
from safetensors.torch import save_file

from toolkit.families import cifar_alexnet

pytestmark = pytest.mark.slow
PLUGIN = '''
import torch
from toolkit.protections.base import Protection


class Rounded(Protection):
    """Features rounded to steps of one."""

    trains = "nothing"

    def eps_shape(self):
        return None

    def forward(self, smashed):
        return torch.round(smashed)
'''


def _run(folder: Path, *words: object, code: int = 0) -> str:
    done = Forked(["bench", *map(str, words)], folder).wait(600)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_foreign_method_is_entered_and_never_computed_again(tmp_path):
    (tmp_path / "theirs.py").write_text(PLUGIN)
    torch.manual_seed(0)
    save_file(cifar_alexnet.build(1, 10).state_dict(), tmp_path / "weights.safetensors")
    entry = (
        "cifar_alexnet", "--cut", "features.12", "--weights", "weights.safetensors", "--input", "1x32x32",
        "--method", "none", "--plugin", "theirs:Rounded", "--effort", "quick", "--epochs", "1", "-o", "out", "--json",
        "--anyway",
    )  # fmt: skip
    rows = json.loads(_run(tmp_path, *entry))["rows"]
    assert [row["method"] for row in rows] == ["none", "theirs:Rounded"]
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").glob("*.json")}
    assert len(cells) == 2
    told = [json.loads(path.read_text()) for path in cells]
    assert {cell["cell"]["protocol"] for cell in told} == {2}
    assert all(cell["tools"]["torch"] and cell["cell"]["weights_sha256"] for cell in told)
    assert sorted(len(cell["cell"]["method_sha256"]) for cell in told) == [0, 64]
    assert json.loads(_run(tmp_path, *entry))["rows"] == rows
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").glob("*.json")} == cells
    assert json.loads(_run(tmp_path, "--table", "out", "--json"))["rows"] == rows


def test_what_does_not_fit_is_one_sentence(tmp_path):
    (tmp_path / "theirs.py").write_text("class Rounded: pass\n")
    entry = ("cifar_alexnet", "--cut", "features.12", "--input", "1x32x32", "--method", "none")
    assert "is no Protection" in _run(tmp_path, *entry, "--plugin", "theirs:Rounded", code=2)
    assert "cannot be loaded" in _run(tmp_path, *entry, "--plugin", "ours:Rounded", code=2)
    assert "holds no finished cell" in _run(tmp_path, "--table", tmp_path, code=2)
    assert "Name a network" in _run(tmp_path, code=2)
