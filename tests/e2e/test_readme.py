"""README's commands for one's own network, run as they stand there, on a small trained network and drawn photos."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
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


def commands() -> list[list[str]]:
    """The indented lines that start with pripro under "On your own network"."""
    part = (ROOT / "README.md").read_text().split("## On your own network")[1].split("\n## ")[0]
    lines = re.findall(r"^    (pripro .*)$", part, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


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


def test_readme_commands_for_ones_own_network(place: Path):
    ran = []
    for words in commands():
        if words[0] in ("serve", "run", "demo-app", "plan"):  # they do not end, or need a file of their own
            continue
        done = subprocess.run(
            [sys.executable, "-m", "toolkit.cli.main", *words],
            cwd=place,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{place}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"pripro {' '.join(words)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        ran.append(words[0])
    assert ran[:6] == ["cuts", "partition", "protect", "convert", "package", "verify"]
