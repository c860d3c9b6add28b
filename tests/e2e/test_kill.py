"""kill -9 at random moments: a bundle is as before or complete, and the same command then finishes it."""

import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_cli import Forked
from PIL import Image
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.datasets.digits import _read
from toolkit.families import digits_resnet

pytestmark = pytest.mark.slow

#: kills of each stage; 20 for the full claim, fewer in a usual run
KILLS = int(os.environ.get("PRIPRO_KILLS", "2"))
STAGES = ("partition", "protect", "convert", "package")

CONFIG = """
bundle = "bundle"
[network]
source = "digits_resnet"
weights = "w.safetensors"
input = "1x28x28"
cut = "layer2"
[protect]
method = "pripro"
data = "folder:photos"
anyway = true
epochs = 1
[convert.targets]
onnx = ["fp32"]
[package]
goldens = 2
[measure]
quick = true
"""


def command(stage: str, folder: Path) -> list[str]:
    root = str(folder / "bundle")
    arguments = {
        "partition": ["digits_resnet", "--input", "1x28x28", "--cut", "layer2", "-o", root],
        "protect": [root, "--data", "folder:photos", "--epochs", "1", "--resume", "--anyway"],
        "convert": [root, "--to", "onnx"],
        "package": [root, "--goldens-count", "2"],
        "run": [str(folder / "deploy.toml")],
    }[stage]
    return [stage, *arguments]


def finish(stage: str, folder: Path) -> float:
    started = time.monotonic()
    done = Forked(command(stage, folder), folder).wait(600)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - started


def killed(stage: str, folder: Path, after: float) -> None:
    process = Forked(command(stage, folder), folder)
    time.sleep(after)
    process.kill()


def manifest_of(folder: Path) -> str | None:
    path = folder / "bundle" / "manifest.json"
    if not path.exists():
        return None
    Bundle.open(folder / "bundle").check_files()
    return path.read_text()


def few_digits(folder: Path) -> None:
    """Sixty photos of each class: a stage is over in seconds, and as many of its moments are tried."""
    pixels, labels = _read()
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number in np.flatnonzero(np.asarray(labels) == label)[:60]:
            Image.fromarray(pixels[number]).save(folder / str(label) / f"{number}.png")


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> dict[str, Path]:
    """A folder with the bundle as it is just before each stage."""
    folder = tmp_path_factory.mktemp("kill") / "start"
    folder.mkdir()
    few_digits(folder / "photos")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    (folder / "deploy.toml").write_text(CONFIG)
    states = {"run": folder}
    for stage in STAGES:
        states[stage] = folder
        folder = Path(shutil.copytree(folder, folder.parent / stage))
        finish(stage, folder)
    return states


@pytest.mark.parametrize("stage", STAGES)
def test_killed_anywhere(stage, before, tmp_path):
    _killed_and_finished(stage, before, tmp_path)


def test_a_whole_run_killed_anywhere(before, tmp_path):
    _killed_and_finished("run", before, tmp_path)


def _killed_and_finished(stage: str, before: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(before[stage], tmp_path / "measured"))
    whole = finish(stage, folder)
    stages_when_done = set(Bundle.open(folder / "bundle").manifest.stages)
    draw = random.Random(0)
    victim = Path(shutil.copytree(before[stage], tmp_path / "victim"))
    for _ in range(KILLS):
        old = manifest_of(victim)
        killed(stage, victim, draw.uniform(0.05, 1.0) * whole)
        new = manifest_of(victim)
        if stage != "run" and new != old:
            assert new is not None
            assert set(Bundle.open(victim / "bundle").manifest.stages) == stages_when_done
            shutil.rmtree(victim)
            shutil.copytree(before[stage], victim)
    finish(stage, victim)
    assert set(Bundle.open(victim / "bundle").manifest.stages) == stages_when_done
    assert not (victim / "bundle" / ".staging").exists()
