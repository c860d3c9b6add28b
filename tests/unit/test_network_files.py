"""Every row of the table in docs/networks.md, tried with such a file."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.errors import InputError, NetworkError
from toolkit.families import digits_resnet
from toolkit.partition.network import Network, load_network
from toolkit.partition.program_file import save_program

DOCS = Path(__file__).parents[2] / "docs" / "networks.md"
ROWS = dict(re.findall(r"^\| (.+?) \| ((?:read|refused).*?) \|$", DOCS.read_text(), re.MULTILINE))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n"


class Small(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))


class Pixels(Small):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.float() / 255)


class Two(Small):
    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        return super().forward(image) + other


def export(place: Path, network: nn.Module, *inputs: Tensor, free: bool = True) -> Path:
    inputs = inputs or (torch.rand(2, 1, 8, 8),)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs) if free else None
    save_program(torch.export.export(network, inputs, dynamic_shapes=shapes), place / "n.pt2")
    return place / "n.pt2"


def good(place: Path) -> Path:
    return export(place, Small().eval())


def nan(place: Path) -> Path:
    network = Small().eval()
    nn.init.constant_(network[3].bias, float("nan"))
    return export(place, network)


def pickled(place: Path) -> Path:
    with zipfile.ZipFile(good(place)) as old, zipfile.ZipFile(place / "p.pt2", "w") as new:
        for info in old.infolist():
            bad = "data/sample_inputs/" in info.filename
            new.writestr(info, pickle.dumps(Path) if bad else old.read(info))
    return place / "p.pt2"


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-500])
    return path


def script(place: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # people still hand in such files
        torch.jit.save(torch.jit.trace(Small().eval(), torch.rand(2, 1, 8, 8)), place / "s.pt2")
    return place / "s.pt2"


def saved(place: Path, content: object, name: str) -> Path:
    torch.save(content, place / name)
    return place / name


def written(place: Path, content: bytes, name: str) -> Path:
    (place / name).write_bytes(content)
    return place / name


def state(count: int = 7) -> dict[str, Tensor]:
    return digits_resnet.build(1, count).state_dict()


def tensors(place: Path, content: dict[str, Tensor], name: str = "w.safetensors") -> Path:
    save_file(content, place / name)
    return place / name


def floating(change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    return {name: change(value) if value.is_floating_point() else value for name, value in state().items()}


def module(place: Path, text: str, name: str) -> str:
    written(place, text.encode(), f"{name}.py")
    return f"{name}:build"


NETWORKS: dict[str, tuple[Callable[[Path], Path | str], ...]] = {
    "a .pt2 in evaluation mode with a free batch size": (good,),
    "a .pt2 in training mode": (lambda at: export(at, Small().train()),),
    "a .pt2 of one batch size": (lambda at: export(at, Small().eval(), torch.rand(1, 1, 8, 8), free=False),),
    "a .pt2 in float16": (lambda at: export(at, Small().eval().half(), torch.rand(2, 1, 8, 8).half()),),
    "a .pt2 that takes uint8 images": (
        lambda at: export(at, Pixels().eval(), torch.zeros(2, 1, 8, 8, dtype=torch.uint8)),
    ),
    "a .pt2 with two inputs": (lambda at: export(at, Two().eval(), torch.rand(2, 1, 8, 8), torch.rand(2, 3)),),
    "a .pt2 whose weights hold NaN": (nan,),
    "a .pt2 that carries a pickled object": (pickled,),
    "a .pt2 that is cut short": (lambda at: cut(good(at)),),
    "a .pt2 written by torch.jit.save": (script,),
    "a .pt2 written by torch.save": (lambda at: saved(at, Small(), "w.pt2"),),
    "a web page called .pt2, or an empty file": (
        lambda at: written(at, b"<!doctype html>", "w.pt2"),
        lambda at: written(at, b"", "e.pt2"),
    ),
    "a Git LFS pointer called .pt2": (lambda at: written(at, POINTER, "l.pt2"),),
    "a .pt2 that does not exist": (lambda at: at / "gone.pt2",),
    "an ONNX file in place of the network": (lambda at: written(at, b"\x08\x07", "n.onnx"),),
    "a file of weights in place of the network": (lambda at: saved(at, state(), "n.pth"),),
    "a Python module that cannot be imported": (lambda at: module(at, "import no_such_package", "broken_net"),),
    "a factory that returns something else": (lambda at: module(at, "def build(): return 3", "number_net"),),
}
WEIGHTS: dict[str, tuple[Callable[[Path], Path], ...]] = {
    "safetensors or a state dict, whatever the suffix": (
        lambda at: tensors(at, state()),
        lambda at: tensors(at, state(), "w.pth"),
        lambda at: saved(at, state(), "w.pth"),
        lambda at: saved(at, state(), "w.safetensors"),
    ),
    "a state dict inside a checkpoint (`state_dict`, `model_state_dict`, `model`), names with `module.`": tuple(
        lambda at, key=key: saved(at, {key: {f"module.{name}": one for name, one in state().items()}}, "w.pth")
        for key in ("state_dict", "model_state_dict", "model")
    ),
    "float16 weights of a float32 network": (lambda at: tensors(at, floating(Tensor.half)),),
    "weights that hold NaN": (lambda at: tensors(at, floating(lambda one: one * float("nan"))),),
    "a whole network pickled into a .pth": (lambda at: saved(at, digits_resnet.build(1, 7), "w.pth"),),
    "a .pth without names (a list of tensors)": (lambda at: saved(at, list(state().values()), "w.pth"),),
    "weights of another network": (lambda at: tensors(at, Small().state_dict()),),
    "safetensors cut short": (lambda at: cut(tensors(at, state())),),
    "a .pth cut short, or empty": (
        lambda at: cut(saved(at, state(), "w.pth")),
        lambda at: written(at, b"", "e.pth"),
    ),
    "a Git LFS pointer in place of the weights": (
        lambda at: written(at, POINTER, "w.pth"),
        lambda at: written(at, POINTER, "w.safetensors"),
    ),
}


def test_the_table_has_the_rows_that_are_tried():
    assert list(ROWS) == [*NETWORKS, *WEIGHTS]
    assert f"## What happens with {len(ROWS)} kinds of files" in DOCS.read_text()


def check(row: str, load: Callable[[], Network]) -> None:
    what, _, words = ROWS[row].partition(": ")
    if what == "read":
        network = load()
        values = network.program.state_dict.values()
        assert all(one.dtype == torch.float32 for one in values if one.is_floating_point())
        return
    with pytest.raises((InputError, NetworkError)) as refused:
        load()
    assert words in str(refused.value)


@pytest.mark.parametrize("row", NETWORKS)
def test_a_file_as_the_network(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for make in NETWORKS[row]:
        source = str(make(tmp_path))
        check(row, lambda source=source: load_network(source, (1, 8, 8)))
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("row", WEIGHTS)
def test_a_file_as_the_weights(row: str, tmp_path: Path):
    for number, make in enumerate(WEIGHTS[row]):
        place = tmp_path / str(number)
        place.mkdir()
        path = make(place)
        check(row, lambda path=path: load_network("digits_resnet", (1, 28, 28), path))
