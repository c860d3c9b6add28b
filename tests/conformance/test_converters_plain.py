"""Graphs that are made plain keep eager torch's values, and nothing that is not replaced changes."""

import pytest
import torch
from converter_cases import cases, eager, feed, sqnr_db
from plain_cases import Network, networks
from require import require_package

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
]
#: targets without complex numbers
NO_SPECTRUM = ("executorch", "coreml")


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
