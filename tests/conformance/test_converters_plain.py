"""Graphs that are made plain keep eager torch's values, and nothing that is not replaced changes."""

import pytest
import torch
from converter_cases import cases, eager, feed, sqnr_db
from plain_cases import Apply, Network, networks
from require import require_package
from torch import nn
from torch.nn import functional

from converters._quiet import quiet
from converters.base import ConverterError
from converters.plain import plain
from toolkit.convert.heads import converter

pytestmark = pytest.mark.slow

#: least SQNR in dB; full precision differs in the last digits only
LEAST, LEAST_INT8 = 100.0, 30.0
#: (network, target, precision) that a converter got wrong or refused before graphs were made plain
MENDED = [
    *[("add with alpha", "tflite", precision) for precision in ("fp32", "int8")],
    *[("nearest x1.5", "tflite", precision) for precision in ("fp32", "int8")],
    *[(name, "coreml", "fp32") for name in ("rsub with alpha", "sub with alpha", "instance norm, tracked")],
    *[(name, "coreml", "fp32") for name in ("transposed convolution", "bicubic x2", "response norm (addcmul)")],
    ("sub with alpha", "tflite", "fp32"),
    *[("bilinear, antialiased", target, "fp32") for target in ("coreml", "tflite")],
    *[("bicubic, antialiased", target, "fp32") for target in ("executorch", "coreml", "tflite")],
    *[("bilinear x1.7", target, "fp32") for target in ("executorch", "coreml", "tflite")],
    *[("adaptive max pool, whole windows", target, "fp32") for target in ("executorch", "tflite")],
    ("attention", "tflite", "int8"),
    ("where", "tflite", "int8"),
    ("local response norm", "tflite", "int8"),
    ("average pool, ceil, padding left out", "tflite", "int8"),
    *[(name, "coreai", "fp32") for name in ("standard deviation", "prelu, elu, selu, celu")],
    *[(name, "executorch", "int8") for name in ("written in place", "mish and hardswish", "zeros around")],
    ("adaptive average pool, uneven windows", "executorch", "int8"),
    ("channels_last weights", "executorch", "fp32"),
    *[(name, "tflite", "fp32") for name in ("separable attention", "largest three", "transposed convolution")],
    *[(name, "tflite", "int8") for name in ("max pool, dilated", "grid sample")],
    *[(name, "coreml", "fp32") for name in ("max pool, dilated", "circular pad", "prelu, elu, selu, celu")],
]
#: targets without this Fourier transform
NO_SPECTRUM = ("executorch", "coreml", "tflite")


@pytest.mark.parametrize("target", sorted({case.target for case in cases()}))
def test_the_plain_graph_itself_gives_eager_torchs_values(target: str):
    """Without any converter: quick, and it tells a wrong replacement from a wrong converter."""
    for network in networks():
        if network.name == "Fourier transform" and target in NO_SPECTRUM:
            continue
        head = network.head()
        with quiet():  # torch copies its own deprecated leaves
            program = plain(head.module(), head.example(), target)
        with torch.no_grad():
            got = program.module()(*head.example()).numpy()
        assert sqnr_db(eager(head, feed(head)), got) >= LEAST, network.name


def test_constants_are_computed_once():
    head = Network("spectral norm (vdot)").head()
    program = plain(head.module(), head.example(), "onnx")
    operators = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert operators == ["aten.conv2d.default", "aten.relu.default", "aten.conv2d.default"]


def test_a_graph_without_anything_to_replace_stays_as_it_was():
    conv = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU()).eval()
    image = torch.randn(1, 3, 8, 8)
    program = plain(conv, (image,), "tflite")
    assert list(program.state_dict) == ["0.weight", "0.bias"]
    assert [node.name for node in program.graph.nodes if node.op == "call_function"] == ["conv2d", "relu"]


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("aligned", [True, False])
def test_sampling_keeps_its_values_for_every_setting(mode: str, padding: str, aligned: bool):
    grid = torch.rand(1, 6, 4, 2, generator=torch.Generator().manual_seed(0)) * 3 - 1.5  # beyond the edges, too
    _same_without("grid_sampler", lambda x: functional.grid_sample(x, grid, mode, padding, align_corners=aligned))


@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [((3, 2), (2, 3), (1, 0)), (3, 1, 1), (2, 3, 0)])
def test_dilated_maxima_keep_their_values_for_every_setting(kernel, stride, padding, ceil: bool):
    pool = nn.MaxPool2d(kernel, stride, padding, dilation=(2, 3), ceil_mode=ceil)
    _same_without("dilat", lambda x: pool(-x), allowed="max_pool2d")


def _same_without(operator: str, function, allowed: str = "") -> None:
    """The plain graph for TFLite has no such operator, or asks nothing special of it, and gives the same values."""
    model, image = Apply(function).eval(), torch.randn(1, 3, 23, 30, generator=torch.Generator().manual_seed(1))
    program = plain(model, (image,), "tflite")
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    assert not any(operator in str(node.target) for node in nodes)
    assert not any(allowed in str(node.target) and len(node.args) > 4 for node in nodes if allowed)
    with torch.no_grad():
        assert torch.allclose(program.module()(image), model(image), atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "target", "precision"), MENDED)
def test_what_a_converter_got_wrong_or_refused_is_right(name: str, target: str, precision: str, tmp_path):
    made_by, head = converter(target), Network(name).head()
    for package in made_by.packages:
        require_package(package, made_by.extra)
    made = made_by.convert(head, tmp_path, precision=precision, backend=made_by.backends[0])
    wanted, found = eager(head, feed(head)), made_by.load(tmp_path / made.entry).run(feed(head))
    assert found.shape == wanted.shape
    assert sqnr_db(wanted, found) >= (LEAST if precision == "fp32" else LEAST_INT8)


@pytest.mark.parametrize("target", NO_SPECTRUM)
def test_what_no_spelling_mends_is_refused_by_name_and_place(target: str):
    head = Network("Fourier transform").head()
    with pytest.raises(ConverterError, match=r"has no fft_rfft2 .* plain_cases\.py:\d+; choose another cut"):
        plain(head.module(), head.example(), target)
