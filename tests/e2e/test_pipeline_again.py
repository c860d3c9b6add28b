"""`pripro run` on a bundle that is there: what has not changed stays, and what depends on a change is made anew."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.convert.heads import convert, plan_heads
from toolkit.errors import BundleError
from toolkit.families import digits_resnet
from toolkit.partition.start import start
from toolkit.pipeline.build import build
from toolkit.pipeline.config import read_config
from toolkit.protect.fuse import protect
from toolkit.protect.protected import protection_class
from toolkit.protect.settings import ProtectSettings

pytestmark = pytest.mark.slow
CONFIG = """
bundle = "bundle"
[network]
source = "digits_resnet"
weights = "w.safetensors"
input = "1x28x28"
cut = "layer2"
[protect]
method = "gaussian"
data = "digits"
anyway = true
[convert.targets]
onnx = ["fp32"]
[package]
goldens = 1
"""


@pytest.fixture
def config(tmp_path: Path):
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "deploy.toml").write_text(CONFIG)
    return read_config(tmp_path / "deploy.toml")


def test_a_protection_that_has_changed_is_trained_anew_and_all_that_follows(config, monkeypatch):
    def built() -> dict[str, str]:
        return dict(build(config, lambda stage, share, text: None).manifest.stages)

    first = built()
    assert built() == first
    monkeypatch.setattr(protection_class("gaussian"), "revision", 99)
    changed = built()
    assert {stage for stage in first if first[stage] == changed[stage]} == {"partition"}


def test_a_head_that_the_file_names_no_more_is_removed_and_one_by_hand_stays(config, tmp_path):
    def built(onnx: list[str], told: list[str]) -> list[tuple[str, str]]:
        (tmp_path / "deploy.toml").write_text(CONFIG.replace('["fp32"]', str(onnx).replace("'", '"')))
        made = build(read_config(tmp_path / "deploy.toml"), lambda done, total, text: None, told.append)
        made.check_files()
        found = [(head.target, head.precision) for head in made.manifest.heads]
        assert len(list((tmp_path / "bundle" / "head").rglob("*.onnx"))) == len(found)
        return found

    told: list[str] = []
    assert built(["fp32", "fp16"], told) == [("onnx", "fp16"), ("onnx", "fp32")]
    assert not told
    assert built(["fp32"], told) == [("onnx", "fp32")]
    assert told == ["removed the onnx fp16 cpu head, which an earlier run made and the file names no more"]
    assert built(["fp32"], told) == [("onnx", "fp32")]
    assert len(told) == 1
    convert(Bundle.open(tmp_path / "bundle"), plan_heads(["onnx"], ["fp16"]))
    assert built(["fp32"], told) == [("onnx", "fp16"), ("onnx", "fp32")]
    assert len(told) == 1


@pytest.mark.parametrize("stage", ["partition", "protect"])
def test_work_by_hand_is_not_replaced(config, tmp_path, stage):
    """A run on another cut erased a trained protection, with exit code 0."""
    root = tmp_path / "bundle"
    start(config.network, root, fingerprint="a run's" if stage == "protect" else "")
    protect(Bundle.open(root), ProtectSettings(method="none"))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(BundleError, match="by hand, not by pripro run"):
        build(config, lambda done, total, text: None)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_what_a_killed_run_left_is_gone_on_with(config, tmp_path, monkeypatch):
    """It has the run's own fingerprint, so it is nobody's work by hand."""

    def killed(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toolkit.pipeline.build.protect", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            build(config, lambda done, total, text: None)
        assert set(Bundle.open(tmp_path / "bundle").manifest.stages) == {"partition"}
