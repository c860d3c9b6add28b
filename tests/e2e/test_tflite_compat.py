"""The .tflite head on the tflite-runtime that older devices have."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from require import require
from torch import nn

from converters.base import HeadProgram
from converters.to_tflite import ToTflite
from toolkit.emulated import tflite_compat
from toolkit.errors import InputError, ToolError, UnknownNameError
from toolkit.protections.pripro import PriPro

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def root() -> Path:
    """The environment, made where users have it: the second run of the tests finds it there."""
    lack = tflite_compat.missing()
    require(lack is None, str(lack), "the command above")
    return tflite_compat.prepare()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_head_agrees_with_the_new_runtime(precision, root, tmp_path):
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        body = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()
        )
        images = torch.rand(8, 3, 32, 32)
        block = PriPro((16, 16, 16), grid=8)
        head = HeadProgram(body.eval(), block.eval(), images[:1], torch.randn(1, 16, 16, 16), tuple(images.split(1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # conversions are tested elsewhere, warnings included
        made = ToTflite().convert(head, tmp_path, precision=precision, backend="cpu")
    inputs = {"image": head.image.numpy(), "eps": head.eps.numpy()}
    new = ToTflite().load(tmp_path / made.entry).run(inputs)
    old = tflite_compat.run_head("2.14", tmp_path / made.entry, inputs, root=root)
    assert old.shape == new.shape
    difference = float(np.abs(old - new).max())
    print(f"tflite {precision}: {'bit-identical' if (old == new).all() else f'max_abs {difference:.3g}'}")
    # the old runtime's integer kernels may round a tie otherwise: at most one step of 255 in one layer
    assert difference <= (1e-5 if precision != "int8" else 1 / 255) * np.abs(new).max()
    without = tflite_compat.run_head(
        "2.14", tmp_path / made.entry, {**inputs, "eps": np.zeros_like(inputs["eps"])}, root=root
    )
    assert np.abs(without - old).max() > 1e-3, "eps changes nothing"


def test_it_is_the_old_runtime(root):
    assert [path.name for path in root.glob("lib/python3.11/site-packages/tflite_runtime-*")] == [
        "tflite_runtime-2.14.0.dist-info"
    ]
    assert tflite_compat.prepare() == root


def test_what_cannot_run_says_why(root, tmp_path):
    image = {"image": np.zeros((1, 3, 32, 32), np.float32)}
    with pytest.raises(UnknownNameError, match=r"choose one of: 2.14"):
        tflite_compat.run_head("1.0", tmp_path, image)
    with pytest.raises(InputError, match=r"set it up with: .* -m toolkit.emulated.tflite_compat"):
        tflite_compat.run_head("2.14", tmp_path, image, root=tmp_path / "nowhere")
    (tmp_path / "head.tflite").write_bytes(b"this is no head")
    with pytest.raises(ToolError, match=r"Running head.tflite on tflite-runtime 2.14 failed") as caught:
        tflite_compat.run_head("2.14", tmp_path / "head.tflite", image, root=root)
    assert "\n" not in str(caught.value)
