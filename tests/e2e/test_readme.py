"""README's commands for one's own network, run as they stand there, on a small trained network and drawn photos."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
SIDE, CLASSES, EACH = 32, ("circle", "cross", "square"), 60
#: what the README's `my_net` stands for
NETWORK = """
from collections import OrderedDict

from torch import nn

def build():
    return nn.Sequential(OrderedDict(
        layer1=nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU()),
        layer2=nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        layer3=nn.Sequential(nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU()),
        pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(32, 3)))
"""


#: the README's deploy.toml is the reader's own; this one makes one head, since the commands before it made all eight
DEPLOY = """
bundle = "again"
[network]
source = "my_net:build"
input = "3x32x32"
cut = "layer2"
weights = "my.safetensors"
labels = "labels.txt"
[protect]
data = "folder:photos"
max_accuracy_drop = "1%"
[convert.targets]
onnx = ["fp32"]
[measure]
quick = true
"""
AS_WRITTEN = ("cuts", "partition", "protect", "convert", "package", "verify", "evaluate", "run")
#: what does not run as written, and why
REPLACED = {
    "measure": "with --quick: eight heads at full length take ten minutes, and the figures are not looked at here",
    "pip": "left out: no test downloads, and the environment of the tests has the package",
    "serve": "on a free port, asked once whether it is ready, then interrupted: it does not end by itself",
}


def commands() -> list[list[str]]:
    """Every indented line under "On your own network", without its comment."""
    part = (ROOT / "README.md").read_text().split("## On your own network")[1].split("\n## ")[0]
    return [shlex.split(line, comments=True) for line in re.findall(r"^    (\S.*)$", part, re.MULTILINE)]


def name(words: list[str]) -> str:
    return words[1] if words[0] == "pripro" else words[0]


def draw(kind: str, number: int) -> Image.Image:
    place = torch.Generator().manual_seed(CLASSES.index(kind) * 1000 + number)
    x, y = (int(torch.randint(4, SIDE - 18, (), generator=place)) for _ in range(2))
    ground, ink = (tuple(torch.randint(*span, (3,), generator=place).tolist()) for span in ((0, 90), (160, 255)))
    photo = Image.new("RGB", (SIDE, SIDE), ground)
    pen = ImageDraw.Draw(photo)
    box = (x, y, x + 14, y + 14)
    if kind == "circle":
        pen.ellipse(box, outline=ink, width=2)
    elif kind == "square":
        pen.rectangle(box, outline=ink, width=2)
    else:
        pen.line(box, fill=ink, width=2)
        pen.line((x, y + 14, x + 14, y), fill=ink, width=2)
    return photo


def as_input(photo: Image.Image) -> torch.Tensor:
    """As the bundle's default preprocessing does."""
    pixels = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pixels - mean[:, None, None]) / std[:, None, None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained network, its weights, labels and photos."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "deploy.toml").write_text(DEPLOY)
    (folder / "my_net.py").write_text(NETWORK)
    (folder / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    images, labels = [], []
    for kind in CLASSES:
        (folder / "photos" / kind).mkdir(parents=True)
        for number in range(EACH):
            photo = draw(kind, number)
            photo.save(folder / "photos" / kind / f"{number}.png")
            images.append(as_input(photo))
            labels.append(CLASSES.index(kind))
    scope: dict[str, object] = {}
    exec(NETWORK, scope)
    torch.manual_seed(0)
    network: nn.Module = scope["build"]()  # type: ignore[operator]
    x, y = torch.stack(images), torch.tensor(labels)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        loss = functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_file(network.state_dict(), folder / "my.safetensors")
    return folder


def pripro(words: list[str], place: Path, **more: int) -> subprocess.Popen[str]:
    paths = os.pathsep.join((str(ROOT), str(place)))
    return subprocess.Popen(
        [sys.executable, "-m", "toolkit", *words],
        cwd=place, env={**os.environ, "PYTHONPATH": paths}, text=True, **more,
    )  # fmt: skip


def serve(words: list[str], place: Path) -> None:
    server = pripro([*words, "--port", "0"], place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert server.stdout is not None
    said = []
    try:
        for line in server.stdout:
            said.append(line)
            if url := re.search(r"http://[\d.]+:\d+", line):
                with urllib.request.urlopen(f"{url[0]}/v2/health/ready", timeout=60) as answer:
                    assert answer.status == 200
                break
        else:
            pytest.fail(f"the server never said where it listens: {''.join(said)}")
        server.send_signal(signal.SIGINT)
        assert server.wait(60) in (0, 130)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_every_command_is_known():
    unknown = [words for words in commands() if name(words) not in (*AS_WRITTEN, *REPLACED)]
    assert not unknown, f"say in this file how these commands of README.md run: {unknown}"
    assert {name(words) for words in commands()} == {*AS_WRITTEN, *REPLACED}


def test_commands_run_in_order(place: Path):
    for words in commands():
        if name(words) == "pip":
            continue
        if name(words) == "serve":
            serve(words[1:], place)
            continue
        more = ["--quick"] if name(words) == "measure" else []
        process = pripro([*words[1:], *more], place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate()
        assert process.returncode == 0, f"{shlex.join(words)}: {said[-3000:]}"
    for bundle in ("bundle", "again"):
        assert (place / bundle / "manifest.json").is_file()
