"""Converted heads on aarch64 kernels under emulation, against the same files on this machine's own kernels."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from require import require
from torch import nn

from converters.base import HeadProgram
from converters.to_executorch import ToExecutorch
from converters.to_onnx import ToOnnx
from converters.to_tflite import ToTflite
from toolkit.emulated import arm64
from toolkit.errors import InputError, ToolError, UnknownNameError
from toolkit.protections.pripro import PriPro

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONVERTERS = {"executorch": ToExecutorch, "tflite": ToTflite, "onnx": ToOnnx}
#: float kernels may order their sums otherwise on another processor; integer ones may not, but the block stays float
TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def root() -> Path:
    """The aarch64 system, built where users have it: the second run of the tests finds it there."""
    lack = arm64.missing()
    require(lack is None, str(lack), "the command above")
    return arm64.prepare()


@pytest.fixture(scope="module")
def head() -> HeadProgram:
    """A small protected head."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        body = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
        )
        images = torch.rand(8, 3, 32, 32)
        body.train()(images)
        block = PriPro((16, 16, 16), grid=8)
        return HeadProgram(body.eval(), block.eval(), images[:1], torch.randn(1, 16, 16, 16), tuple(images.split(1)))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("target", arm64.targets())
def test_head_agrees_with_this_machine(target, precision, root, head, tmp_path, record_property):
    converter = CONVERTERS[target]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # conversions are tested elsewhere, warnings included
        made = converter.convert(head, tmp_path, precision=precision, backend=converter.backends[0])
    entry = tmp_path / made.entry
    inputs = {"image": head.image.numpy(), "eps": head.eps.numpy()}
    here = converter.load(entry).run(inputs)
    there = arm64.run_head(target, entry, inputs, root=root)
    assert there.shape == here.shape == (1, 16, 16, 16)
    assert there.dtype == np.float32
    difference = float(np.abs(there - here).max())
    record_property("max_abs", difference)
    print(f"{target} {precision}: {'bit-identical' if (there == here).all() else f'max_abs {difference:.3g}'}")
    assert difference <= TOLERANCE * np.abs(here).max()
    without = arm64.run_head(target, entry, {**inputs, "eps": np.zeros_like(inputs["eps"])}, root=root)
    assert np.abs(without - there).max() > 1e-3, "eps changes nothing"


def test_the_system_is_built_once(root):
    def progress(done: int, total: int, text: str) -> None:
        raise AssertionError(f"built again: {text}")

    assert arm64.prepare(root, progress) == root


def test_runs_are_aarch64(root, tmp_path):
    """The runner is not this machine's code, and the Python in there says the same."""
    assert (root / "opt/pte_run").read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64 of the ELF header
    from toolkit.emulated.arm64.root import emulated
    from toolkit.emulated.subsystem import call

    said = call(
        [*emulated(root), str(root / "usr/bin/python3.11"), "-I", "-c", "import platform; print(platform.machine())"],
        "asking",
    )
    assert said.strip() == "aarch64"


def test_what_cannot_run_says_why(root, tmp_path):
    image = {"image": np.zeros((1, 3, 32, 32), np.float32)}
    with pytest.raises(UnknownNameError, match=r"choose one of: executorch, onnx, tflite"):
        arm64.run_head("coreml", tmp_path, image, root=root)
    with pytest.raises(InputError, match=r"float32; it was given image float64"):
        arm64.run_head("onnx", tmp_path, {"image": image["image"].astype(float)}, root=root)
    with pytest.raises(InputError, match=r"set it up with"):
        arm64.run_head("onnx", tmp_path, image, root=tmp_path / "nowhere")
    for target, name in (("executorch", "head.pte"), ("tflite", "head.tflite"), ("onnx", "head.onnx")):
        (tmp_path / name).write_bytes(b"this is no head")
        with pytest.raises(ToolError, match=f"Running {name} on ARM64 failed") as caught:
            arm64.run_head(target, tmp_path / name, image, root=root)
        assert "\n" not in str(caught.value)
