"""deploy.toml: all mistakes at once, paths beside the file."""

import pytest

from toolkit.errors import InputError
from toolkit.pipeline.config import read_config

GOOD = """
bundle = "out"
[network]
source = "resnet18"
input = "3x64x64"
cut = "layer1"
weights = "w.pth"
"""


def test_paths_are_beside_the_file(tmp_path, monkeypatch):
    (tmp_path / "deploy.toml").write_text(GOOD)
    config = read_config(tmp_path / "deploy.toml")
    assert config.bundle.resolve() == tmp_path / "out"
    assert config.network.weights.resolve() == tmp_path / "w.pth"
    monkeypatch.chdir(tmp_path)
    assert str(read_config(tmp_path / "deploy.toml").bundle) == "out"


def test_every_mistake_is_told_at_once(tmp_path):
    (tmp_path / "deploy.toml").write_text(GOOD + 'colour = "red"\n[protect]\nepochs = 0\n[measures]\n')
    with pytest.raises(InputError) as caught:
        read_config(tmp_path / "deploy.toml")
    for word in ("network.colour", "protect.epochs", "measures"):
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["bundle = ", "\x00"])
def test_not_toml(tmp_path, text):
    (tmp_path / "deploy.toml").write_text(text)
    with pytest.raises(InputError, match="not TOML"):
        read_config(tmp_path / "deploy.toml")


def test_not_there(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_config(tmp_path / "deploy.toml")


def test_heads_hand_out_float32_unless_codes_are_asked_for(tmp_path):
    (tmp_path / "deploy.toml").write_text(GOOD)
    assert read_config(tmp_path / "deploy.toml").convert.wire == "float32"
    (tmp_path / "deploy.toml").write_text(GOOD + '[convert]\nwire = "uint8"\n')
    assert read_config(tmp_path / "deploy.toml").convert.wire == "uint8"
    (tmp_path / "deploy.toml").write_text(GOOD + '[convert]\nwire = "uint4"\n')
    with pytest.raises(InputError, match=r"convert\.wire.*'float32' or 'uint8'"):
        read_config(tmp_path / "deploy.toml")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[protect]\nseed = -1", "protect.seed"),
        ("[package]\nseed = -1", "package.seed"),
        ("[measure]\nthreads = []", "measure.threads"),
        ("[measure]\nthreads = [1, 0]", "measure.threads.1"),
        ("[measure]\nthreads = [100000]", "measure.threads.0"),
        ('[lint]\nruntimes = {onnxruntime = "abc"}', "lint.runtimes.onnxruntime"),
        ("[convert]\ntargets = {onnx = []}", "convert.targets.onnx"),
    ],
)
def test_numbers_and_lists_that_cannot_be(tmp_path, text, place):
    (tmp_path / "deploy.toml").write_text(GOOD + text)
    with pytest.raises(InputError, match=place.replace(".", "[.]")):
        read_config(tmp_path / "deploy.toml")
