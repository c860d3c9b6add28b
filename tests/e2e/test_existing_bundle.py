"""`partition` where something is already: nothing is erased without --force, and nothing of the old stays with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded
from toolkit.families import digits_resnet

pytestmark = pytest.mark.slow
CUT = ["digits_resnet", "--input", "1x28x28", "--cut", "layer2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle in three states."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    states = {name: folder / name for name in ("fresh", "protected", "packaged")}
    pripro("partition", *CUT, "--weights", folder / "w.safetensors", "-o", states["fresh"])
    shutil.copytree(states["fresh"], states["protected"])
    pripro("protect", states["protected"], "--method", "none")
    shutil.copytree(states["protected"], states["packaged"])
    pripro("convert", states["packaged"], "--to", "onnx")
    pripro("package", states["packaged"], "--goldens-count", "2")
    pripro("verify", states["packaged"])
    pripro("report", states["packaged"])
    return states


def pripro(*words: object, code: int = 0) -> None:
    assert guarded(lambda: app([str(word) for word in words])) == code


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("network", ["digits_resnet", "no_such_network"])
@pytest.mark.parametrize("state", ["fresh", "protected", "packaged"])
def test_a_bundle_is_kept_without_force(capfd, made, tmp_path, state, network):
    """Asked before anything is loaded or computed: it erased protection, heads and tail, exit 0."""
    root = Path(shutil.copytree(made[state], tmp_path / "bundle"))
    before = content(root)
    capfd.readouterr()
    pripro("partition", network, *CUT[1:], "-o", root, code=2)
    said = capfd.readouterr().err
    assert "is a bundle already" in said
    assert "--force" in said
    assert "exporting" not in said
    assert content(root) == before


def test_through_a_link_too(capfd, made, tmp_path):
    root = Path(shutil.copytree(made["packaged"], tmp_path / "bundle"))
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    before = content(root)
    pripro("partition", *CUT, "-o", tmp_path / "link", code=2)
    assert "is a bundle already" in capfd.readouterr().err
    assert content(root) == before


def test_with_force_nothing_of_the_old_stays(made, tmp_path):
    root = Path(shutil.copytree(made["packaged"], tmp_path / "bundle"))
    assert list((root / "reports").iterdir())
    pripro("partition", *CUT, "--force", "-o", root)
    bundle = Bundle.open(root)
    bundle.check_files()
    assert bundle.manifest.protection is None
    assert not bundle.manifest.heads
    assert set(content(root)) == {"manifest.json", bundle.manifest.model.program.path}


def test_with_force_a_network_that_cannot_be_cut_erases_nothing(made, tmp_path):
    root = Path(shutil.copytree(made["packaged"], tmp_path / "bundle"))
    before = content(root)
    pripro("partition", *CUT[:-1], "no_such_cut", "--force", "-o", root, code=2)
    assert content(root) == before


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
@pytest.mark.parametrize("there", ["a file", "a folder of something else"])
def test_what_is_no_bundle_is_never_touched(capfd, tmp_path, there, force):
    out = tmp_path / "out"
    if there == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    before = content(tmp_path)
    pripro("partition", *CUT, *force, "-o", out, code=2)
    said = capfd.readouterr().err
    assert "name a new folder with -o" in said
    assert "exporting" not in said
    assert content(tmp_path) == before
