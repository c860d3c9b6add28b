"""stdout belongs to the result, whatever the user's own code prints; advice reaches the reader whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cli import _console

FACTORY = """
import os, sys
print("loud at import")
from torch import nn


def net():
    print("loud at build")
    os.write(1, b"loud below Python\\n")
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
"""


@pytest.mark.slow
def test_a_factory_that_prints_leaves_json_alone(tmp_path: Path):
    (tmp_path / "loud.py").write_text(FACTORY)
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", "cuts", "loud:net", "--input", "3x16x16", "--json"],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["network"] == "loud:net"
    for line in ("loud at import", "loud at build", "loud below Python"):
        assert line in done.stderr


def test_prints_inside_a_command_go_to_stderr(capfd: pytest.CaptureFixture[str]):
    with _console.stdout_for_results():
        print("noise")
        _console.show_json({"a": 1})
    out, err = capfd.readouterr()
    assert json.loads(out) == {"a": 1}
    assert "noise\n" in err
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"


def test_square_brackets_in_a_table_are_text(capsys: pytest.CaptureFixture[str]):
    _console.show_table(("what", "get"), [("x", "pip install 'pripro-toolkit[privacy]'")])
    assert "pripro-toolkit[privacy]" in capsys.readouterr().out


def test_every_package_that_doctor_asks_for_comes_with_the_extra_it_names():
    import tomllib

    from packaging.requirements import Requirement

    from toolkit.cli import _doctor

    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = {extra: {Requirement(line).name for line in lines} for extra, lines in extras.items()}
    for name, extra in _doctor._packages().items():
        assert name in brought[extra]
