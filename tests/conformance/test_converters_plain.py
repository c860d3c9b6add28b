"""Graphs that are made plain keep eager torch's values, and nothing that is not replaced changes."""

import pytest
import torch
from converter_cases import cases, eager, feed, sqnr_db
from plain_cases import Network, networks

from converters.plain import plain

pytestmark = pytest.mark.slow

#: least SQNR in dB; full precision differs in the last digits only
LEAST = 100.0


@pytest.mark.parametrize("target", sorted({case.target for case in cases()}))
def test_the_plain_graph_itself_gives_eager_torchs_values(target: str):
    """Without any converter: quick, and it tells a wrong replacement from a wrong converter."""
    for network in networks():
        head = network.head()
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
