"""What only one target promises: the whole head in one delegate, float blocks in int8 files, tails of any batch."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from converter_cases import small_head
from torch import nn

from converters._heads import calibration
from converters.base import HeadProgram
from converters.to_executorch import ToExecutorch, count_operators, lower
from converters.to_onnx import ToOnnx, export_tail
from toolkit.protect.waist.encoder import plain_encoder
from toolkit.protect.waist.geometry import Geometry

pytestmark = pytest.mark.slow


class Gate(nn.Module):
    """What MobileNetV3 and EfficientNet are made of: hardswish, silu, and a hardsigmoid gate."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.squeeze = nn.Conv2d(16, 16, 1)

    def forward(self, image):
        features = nn.functional.hardswish(self.first(image))
        gate = nn.functional.hardsigmoid(self.squeeze(features.mean((2, 3), keepdim=True)))
        return nn.functional.silu(features * gate) * 2


def deep_waist() -> nn.Module:
    """A head that ends in a waist's encoder with its deep branch."""
    first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
    return nn.Sequential(first, plain_encoder(Geometry((8, 28, 28), 16, 2, 16, 8))).eval()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(
    "backbone", [small_head().backbone, Gate().eval(), deep_waist()], ids=["residual", "gated", "waist"]
)
def test_executorch_puts_the_whole_protected_head_in_one_delegate(backbone, precision):
    from converters._quiet import quiet

    base = small_head()
    head = HeadProgram(backbone, base.block, base.image, base.eps, base.calibration)
    with quiet():
        counts = count_operators(lower(head, precision, "xnnpack").exported_program().graph_module)
    assert counts.delegates == 1
    assert counts.outside == {}
    assert counts.total > 40


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("backbone", [small_head().backbone, Gate().eval()], ids=["residual", "gated"])
@pytest.mark.parametrize("protected", [True, False])
def test_executorch_answers_the_same_to_the_bit_with_every_result_handed_out(backbone, precision, protected, tmp_path):
    base = small_head()
    noise = {"block": base.block, "eps": base.eps} if protected else {"block": None, "eps": None}
    head = replace(base, backbone=backbone, **noise)
    feed = {"image": head.image.numpy()} | ({"eps": head.eps.numpy()} if protected else {})
    made = ToExecutorch().convert(head, tmp_path, precision=precision, backend="xnnpack")
    answer = ToExecutorch().load(tmp_path / made.entry).run(feed)
    steps = ToExecutorch().steps(head, feed, precision=precision, backend="xnnpack")
    assert np.array_equal(steps.smashed, answer)
    assert set(steps.results) <= set(steps.operators)
    assert "conv2d_1" in steps.operators
    last = list(steps.results.values())[-1]
    assert np.array_equal(last, answer.ravel())


def test_executorch_counts_what_stays_outside(tmp_path):
    head = small_head()
    portable = ToExecutorch().convert(head, tmp_path, precision="fp32", backend="portable")
    assert portable.ops_delegated == 0
    assert portable.ops_total is not None
    assert portable.ops_total > 40


def test_executorch_heads_survive_a_change_of_the_thread_pool(tmp_path):
    head = small_head()
    made = ToExecutorch().convert(head, tmp_path, precision="fp32", backend="xnnpack")
    feed = {"image": head.image.numpy(), "eps": head.eps.numpy()}
    one = ToExecutorch().load(tmp_path / made.entry, threads=1)
    before = one.run(feed)
    two = ToExecutorch().load(tmp_path / made.entry, threads=2)
    assert np.allclose(two.run(feed), before, atol=1e-5)
    assert np.array_equal(one.run(feed), before)


def test_no_pixel_value_lies_half_way_between_two_codes():
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64).reshape(1, 1, 16, 16)
    images = calibration(replace(small_head(), calibration=[levels, 0.5 * levels]))
    low, high = (float(end(torch.cat(images))) for end in (torch.min, torch.max))
    scale = (high - low) / 255
    codes = levels / scale + round(-128 - low / scale)
    assert float((codes - codes.floor() - 0.5).abs().min()) > 1e-3
    # and nothing is lost: the range is wider by less than a code on either side
    assert 2 < high - low < 2 + 2 * scale


def test_onnx_int8_keeps_the_block_in_float(tmp_path):
    ToOnnx().convert(small_head(), tmp_path, precision="int8", backend="cpu")
    graph = onnx.load(tmp_path / "head.onnx").graph
    makers = {output: node for node in graph.node for output in node.output}
    fed_by: dict[str, set[str]] = {}
    for node in graph.node:
        fed_by.setdefault(node.op_type, set()).update(makers[name].op_type for name in node.input if name in makers)
    assert "DequantizeLinear" in fed_by["Conv"]
    for operator in ("Softmax", "MatMul", "Exp", "Sqrt"):
        assert "DequantizeLinear" not in fed_by[operator]


@pytest.mark.parametrize(
    "flatten", [lambda x: torch.flatten(x, 1), lambda x: x.view(x.shape[0], -1)], ids=["flatten", "view"]
)
def test_a_tail_takes_any_batch_size_in_one_file(flatten, tmp_path):
    class Tail(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(16, 32, 3, stride=2)
            self.linear = nn.Linear(32 * 6 * 6, 10)

        def forward(self, smashed):
            return self.linear(flatten(torch.relu(self.conv(smashed))))

    torch.manual_seed(0)
    tail = Tail().eval()
    path = export_tail(tail, torch.randn(1, 16, 14, 14), tmp_path / "tail.onnx")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tail.onnx"]
    session = onnxruntime.InferenceSession(str(path))
    assert [entry.name for entry in session.get_inputs()] == ["smashed"]
    assert [entry.name for entry in session.get_outputs()] == ["logits"]
    for batch in (1, 5):
        smashed = torch.randn(batch, 16, 14, 14)
        (logits,) = session.run(None, {"smashed": smashed.numpy()})
        assert np.abs(logits - tail(smashed).detach().numpy()).max() <= 1e-4
