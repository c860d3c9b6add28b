"""One head that cannot be run does not end verify: it gets a row of its own that says why, and the others' stand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import coreml_programs
import flatbuffers
import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from coreml_programs import mb
from onnx import TensorProto, helper, numpy_helper
from parity_bundle import copy_of
from safetensors.numpy import load_file
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded
from toolkit.families import digits_resnet
from toolkit.verify.report import verify, verify_bundle

pytestmark = pytest.mark.slow
#: what is left of a file that Git LFS did not fetch
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Untrained, with a right .onnx head."""
    folder = tmp_path_factory.mktemp("clean")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    root = str(folder / "bundle")
    for words in (
        ["partition", "digits_resnet", "--input", "1x28x28", "--cut", "layer1", "--weights",
         str(folder / "w.safetensors"), "-o", root],
        ["protect", root, "--method", "gaussian", "--data", "digits", "--anyway"],
        ["convert", root, "--to", "onnx"],
        ["package", root, "--goldens-count", "4"],
    ):  # fmt: skip
        assert guarded(lambda words=words: app(words)) == 0
    return Bundle.open(Path(root))


@pytest.fixture
def bundle(clean: Bundle, tmp_path: Path) -> Bundle:
    return copy_of(clean, tmp_path / "bundle")


def add_head(bundle: Bundle, target: str, name: str, write: Callable[[Path], object], precision: str = "fp16") -> None:
    """Give the bundle a second head whose entry `write` makes, its hashes right: a bad file, not a bad download."""
    good = bundle.manifest.heads[0]
    with bundle.extending() as stage:
        made = stage.scratch("bad")
        write(made / name)
        files = stage.keep(made, f"head/{target}")
        folder = "/".join(files[0].path.split("/")[:3])
        backend = {"executorch": "xnnpack"}.get(target, "cpu")
        update = {"target": target, "precision": precision, "entry": f"{folder}/{name}", "files": files}
        bad = good.model_copy(update={**update, "backend": backend})
        bundle.commit(bundle.manifest.model_copy(update={"heads": [good, bad]}))


def of_bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def of_onnx(bundle: Bundle, edit: Callable[[onnx.GraphProto], None]) -> Callable[[Path], object]:
    model = onnx.load(bundle.root / bundle.manifest.heads[0].entry)
    edit(model.graph)
    return of_bytes(model.SerializeToString())


def behind(graph: onnx.GraphProto, *nodes: onnx.NodeProto) -> None:
    """Let nodes that read "inner" make the graph's output."""
    (output,) = graph.output
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == output.name:
                node.output[place] = "inner"
        for place, name in enumerate(node.input):
            if name == output.name:
                node.input[place] = "inner"
    graph.node.extend(nodes)


def constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def overflow_of_halves(graph: onnx.GraphProto) -> None:
    out = graph.output[0].name
    behind(
        graph,
        constant("loud", np.float32([1e6])),
        helper.make_node("Mul", ["inner", "loud"], ["large"]),
        helper.make_node("Cast", ["large"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["whole"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["whole", "loud"], [out]),
    )


def one_row_is_no_number(graph: onnx.GraphProto, above: float) -> None:
    behind(
        graph,
        constant("above", np.float32(above)),
        constant("none", np.float32(np.nan)),
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "above"], ["bright"]),
        helper.make_node("Where", ["bright", "none", "inner"], [graph.output[0].name]),
    )


def kernel_that_throws(graph: onnx.GraphProto) -> None:
    behind(
        graph,
        constant("whole", np.int64([999])),
        helper.make_node("Cast", ["mean"], ["at"], to=TensorProto.INT64),
        helper.make_node("Add", ["at", "whole"], ["far"]),
        helper.make_node("Gather", ["inner", "far"], [graph.output[0].name], axis=1),
    )
    graph.node.insert(len(graph.node) - 4, helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0))


def other_shape(graph: onnx.GraphProto) -> None:
    behind(graph, helper.make_node("GlobalAveragePool", ["inner"], [graph.output[0].name]))
    del graph.output[0].type.tensor_type.shape.dim[:]


def unknown_operator(graph: onnx.GraphProto) -> None:
    behind(graph, helper.make_node("Frobnicate", ["inner"], [graph.output[0].name]))


def gru(path: Path) -> None:
    """A Core ML program with an operator that the evaluator does not have."""
    weights = np.zeros((6, 2), np.float32)

    def build(image: object) -> object:
        steps = mb.reshape(x=image, shape=(392, 1, 2))
        return mb.gru(
            x=steps, initial_h=np.zeros((1, 2), np.float32), weight_ih=weights, weight_hh=weights,
            bias=np.zeros(6, np.float32),
        )[0]  # fmt: skip

    path.parent.joinpath("w").mkdir()
    made = coreml_programs.write(build, {"image": np.zeros((1, 1, 28, 28), np.float32)}, path.parent / "w")
    shutil.move(made, path)
    shutil.rmtree(path.parent / "w")


def custom_tflite() -> bytes:
    """A .tflite file whose only operator is one that nobody has."""
    name = "Frobnicate"
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = name, 1
    graph, operator, model = schema.SubGraphT(), schema.OperatorT(), schema.ModelT()
    graph.tensors = []
    for buffer, tensor_name in enumerate(("image", "smashed")):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = tensor_name, [1, 4], buffer + 1
        graph.tensors.append(tensor)
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT() for _ in range(3)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def brightest(bundle: Bundle) -> float:
    """A mean that one golden image alone is above."""
    golden = bundle.manifest.golden
    assert golden is not None
    means = np.sort(load_file(bundle.path(golden.inputs))["image"].mean((1, 2, 3)))
    assert means[-1] > means[-2]
    return float((means[-1] + means[-2]) / 2)


#: what is wrong: (target, entry's name, what writes it, words of the row that says so)
BAD = {
    "a .pte that does not load": ("executorch", "head.pte", lambda b: of_bytes(bytes(999)), "ExecuTorch cannot open"),
    "a pointer instead of a .pte": ("executorch", "head.pte", lambda b: of_bytes(POINTER), "ExecuTorch cannot open"),
    "an empty .pte": ("executorch", "head.pte", lambda b: of_bytes(b""), "ExecuTorch cannot open"),
    "a pointer instead of an .onnx": ("onnx", "head.onnx", lambda b: of_bytes(POINTER), "onnxruntime cannot open"),
    "a damaged .tflite": ("tflite", "head.tflite", lambda b: of_bytes(bytes(999)), "LiteRT cannot open"),
    "an operator that onnxruntime lacks": (
        "onnx", "head.onnx", lambda b: of_onnx(b, unknown_operator), "Frobnicate",
    ),
    "an operator that LiteRT lacks": ("tflite", "head.tflite", lambda _: of_bytes(custom_tflite()), "Frobnicate"),
    "an operator that the evaluator lacks": ("coreml", "head.mlpackage", lambda b: gru, "gru"),
    "a package that is a file": ("coreml", "head.mlpackage", lambda b: of_bytes(b"x"), "not an .mlpackage folder"),
    "a float16 overflow": ("onnx", "head.onnx", lambda b: of_onnx(b, overflow_of_halves), "not finite"),
    "one row that is no number": (
        "onnx", "head.onnx", lambda b: of_onnx(b, lambda graph: one_row_is_no_number(graph, brightest(b))), "finite",
    ),
    "a kernel that throws": ("onnx", "head.onnx", lambda b: of_onnx(b, kernel_that_throws), "failed while it ran"),
    "features of another shape": ("onnx", "head.onnx", lambda b: of_onnx(b, other_shape), "shape"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_the_other_rows_stand(bundle: Bundle, clean: Bundle, what: str):
    target, name, made, words = BAD[what]
    add_head(bundle, target, name, made(bundle))
    report = verify(bundle, None)
    good = [row for row in report.rows if (row.target, row.precision) == ("onnx", "fp32")]
    bad = [row for row in report.rows if (row.target, row.precision) == (target, "fp16")]
    assert good == verify(clean, None).rows, "the same rows as without the bad head"
    assert [row for row in good if row.passed is not True] == []
    assert len(good) + len(bad) == len(report.rows)
    assert bad
    assert any(row.passed is not True and words in row.note for row in bad), [row.note for row in bad]
    assert report.passed is False


def test_through_the_tail_too(bundle: Bundle):
    """A row that is no number is not sent, and the tail goes on to answer the others."""
    add_head(bundle, "onnx", "head.onnx", of_onnx(bundle, lambda graph: one_row_is_no_number(graph, brightest(bundle))))
    report = verify_bundle(bundle)
    ends = [row for row in report.rows if row.where == "end-to-end"]
    assert [(row.precision, row.passed) for row in ends] == [("fp32", True)]
    assert any(row.precision == "fp16" and "not finite" in row.note for row in report.rows)


def test_the_command_shows_every_row_and_ends_with_1(capfd, bundle: Bundle):
    add_head(bundle, "executorch", "head.pte", of_bytes(bytes(999)))
    capfd.readouterr()
    assert guarded(lambda: app(["verify", str(bundle.root), "--json"])) == 1
    told = capfd.readouterr()
    rows = json.loads(told.out)["rows"]
    assert {(row["target"], row["passed"]) for row in rows} >= {("onnx", True), ("executorch", False)}
    assert "Traceback" not in told.err


def test_on_an_old_runtime_too(bundle: Bundle):
    add_head(bundle, "tflite", "head.tflite", of_bytes(custom_tflite()))
    report = verify(bundle, None, tflite_compat="2.14")
    rows = [row for row in report.rows if row.target == "tflite"]
    assert [row.runtime for row in rows] == ["tflite", "tflite 2.14"]
    assert all(row.passed is False and "Frobnicate" in row.note for row in rows)
    assert [row for row in report.rows if row.target == "onnx" and row.passed is not True] == []
