"""Every rule is triggered by a tiny graph of its own, and by no clean one; every rule says where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lint_graphs import aimodel, for_delegate, matmul_options, onnx_file, operators, tflite_file
from require import require_package

from converters.base import Operator
from toolkit.errors import InputError, UnknownNameError
from toolkit.lint.report import examine
from toolkit.lint.rules import Backend, load_backends
from toolkit.records.bundle import Head

pytestmark = pytest.mark.slow
BACKENDS = {backend.name: backend for backend in load_backends()}
RULES = [(backend, rule.name) for backend in BACKENDS.values() for rule in backend.rule]
F32 = "float32"


def core_ml(build: str, arrays: dict[str, tuple[tuple[int, ...], str]]) -> Callable[[Path], Path]:
    """A program of coremltools' builder; its import takes seconds, so only where a probe needs it."""

    def make(folder: Path) -> Path:
        import coreml_programs

        values = {name: np.zeros(shape, kind) for name, (shape, kind) in arrays.items()}
        scope = {"mb": coreml_programs.mb, "np": np}
        return coreml_programs.write(eval(build, scope), values, folder)

    return make


def lite(kind: str, *tensors: tuple[str, tuple[int, ...], bool], options: object = None) -> Callable[[Path], Path]:
    """One operator; the last tensor is its result."""
    last = len(tensors) - 1
    return lambda folder: tflite_file([(kind, list(range(last)), last, options)], list(tensors), folder)


def product(rank: int, **adjoint: bool) -> Callable[[Path], Path]:
    shape = (1,) * (rank - 2) + (4, 4)
    tensor = (F32, shape, False)
    return lambda folder: tflite_file([("BATCH_MATMUL", [0, 1], 2, matmul_options(**adjoint))], [tensor] * 3, folder)


def masked(folder: Path) -> Path:
    shape = (1, 2, 4, 4)
    tensors = [(F32, shape, False)] * 3 + [(F32, (1, 1, 4, 4), True), (F32, shape, False)]
    steps = [("BATCH_MATMUL", [0, 1], 2, matmul_options()), ("ADD", [2, 3], 4, None)]
    return tflite_file(steps, tensors, folder)


def text(body: str, **graph: str) -> Callable[[Path], Path]:
    return lambda folder: onnx_file(body, folder, **graph)


def core_ai(build: str, *shape: int, half: bool = False) -> Callable[[Path], Path]:
    """A module of torch's as Apple's converter writes it."""
    return lambda folder: aimodel(*torch_module(build, *shape, half=half), folder)


def divided(build: str, *shape: int) -> Callable[[Path], list[Operator]]:
    """A module of torch's as ExecuTorch's Core AI delegate takes it."""
    return lambda _: for_delegate(*torch_module(build, *shape))


def torch_module(build: str, *shape: int, half: bool = False) -> tuple[object, object]:
    """A module around an expression of x, or one of torch.nn's; torch's import takes seconds, so only where needed."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Apply(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return eval(build, {"x": x, "F": F, "torch": torch})

    module = eval(build, {"nn": nn}) if build.startswith("nn.") else Apply()
    return (module.eval().half() if half else module.eval()), torch.rand(shape, dtype=torch.half if half else None)


CONV_3D = text("w = Constant<value = float[1,1,1,1,1] {1}>() y = Conv(x, w)", inputs="float[1,1,2,2,2] x")
PROBES: dict[str, Callable[[Path], Path | list[Operator]]] = {
    "tflite-gpu/rank-3-product": product(3),
    "tflite-gpu/transposed-product": product(4, adj_y=True),
    "tflite-gpu/masked-attention": masked,
    "tflite-gpu/mixed-ranks": lite("ADD", (F32, (4, 4), False), (F32, (1, 1, 4, 4), False), (F32, (1, 1, 4, 4), False)),
    "tflite-gpu/rank-3-pad": lite("PAD", (F32, (1, 2, 3), False), ("int32", (3, 2), True), (F32, (1, 4, 3), False)),
    "tflite-gpu/broadcast-to": lite(
        "BROADCAST_TO", (F32, (1, 1, 4), False), ("int32", (3,), True), (F32, (1, 8, 4), False)
    ),
    "tflite-gpu/slice-rank": lite(
        "SLICE", (F32, (4, 4), False), ("int32", (2,), True), ("int32", (2,), True), (F32, (2, 4), False)
    ),
    "tflite-gpu/clamp-to-one": lite("RELU_0_TO_1", (F32, (1, 4), False), (F32, (1, 4), False)),
    "tflite-gpu/int8-weights-rank-3": lite(
        "FULLY_CONNECTED", (F32, (1, 2, 4), False), ("int8", (4, 4), True), (F32, (1, 2, 4), False)
    ),
    "coreml-gpu/attention-of-ten": core_ml(
        "lambda a, v: mb.matmul(x=mb.softmax(x=a), y=v)", {"a": ((12, 4, 4), F32), "v": ((12, 4, 4), F32)}
    ),
    "coreml-ane/float32": core_ml(
        "lambda x: mb.conv(x=x, weight=np.ones((2, 3, 1, 1), np.float32))", {"x": ((1, 3, 4, 4), F32)}
    ),
    "coreml-ane/gather": core_ml("lambda x: mb.gather(x=x, indices=[0, 2], axis=1)", {"x": ((1, 3, 4), F32)}),
    "coreml-ane/recurrent": core_ml(
        "lambda x: mb.gru(x=x, initial_h=np.zeros((1, 2), np.float32), weight_ih=np.ones((6, 3), np.float32),"
        " weight_hh=np.ones((6, 2), np.float32))[0]",
        {"x": ((4, 1, 3), F32)},
    ),
    "coreml-ane/linear-on-sequences": core_ml(
        "lambda x: mb.linear(x=x, weight=np.ones((4, 3), np.float32))", {"x": ((1, 5, 3), F32)}
    ),
    "onnx-nnapi/convolution-not-2d": CONV_3D,
    "onnx-nnapi/computed-weights": text(
        "w = Relu(v) y = Conv(x, w)", inputs="float[1,1,8,8] x, float[1,1,3,3] v"
    ),
    "onnx-nnapi/pad-mode": text(
        'p = Constant<value_ints = [0,0,1,1,0,0,1,1]>() y = Pad<mode = "reflect">(x, p)'
    ),
    "onnx-coreml/convolution-3d": CONV_3D,
    "onnx-coreml/computed-matrix": text("b = Relu(v) y = Gemm(x, b)", inputs="float[2,2] x, float[2,2] v"),
    "onnx-coreml/half-precision-static": text(
        "a = Cast<to = 10>(x) m = MatMul(a, a) y = Cast<to = 1>(m)", inputs="float[2,2] x"
    ),
    "onnx-web/convolution-3d": CONV_3D,
    "onnx-web/automatic-padding": text(
        'w = Constant<value = float[1,1,1,1] {1}>() y = Conv<auto_pad = "SAME_UPPER", strides = [2,2]>(x, w)',
        inputs="float[1,1,8,8] x",
    ),
    "onnx-web/softmax-axis": text("y = Softmax<axis = 1>(x)"),
    "coreai-ane/float32": core_ai("x.relu()", 1, 4),
    "coreai-ane/rank-6": core_ai("x.view(1, 2, 2, 2, 2, 2).permute(0, 2, 1, 4, 3, 5).exp()", 1, 32, half=True),
    "coreai-ane/table-look-up": core_ai("F.embedding(x.argmax(1, keepdim=True), torch.ones(5, 3))", 1, 4),
    "coreai-ane/silu": core_ai("F.silu(x)", 1, 4, half=True),
    "coreai-ane/linear": core_ai("nn.Linear(4, 3)", 1, 4, half=True),
    "coreai-ane/attention-of-several-heads": core_ai("F.scaled_dot_product_attention(x, x, x)", 1, 2, 4, 4, half=True),
    "coreai-ane/convolution-stride": core_ai("nn.Conv2d(2, 2, 5, 5)", 1, 2, 10, 10, half=True),
    "coreai-ane/dilation": core_ai("nn.Conv2d(2, 2, 3, dilation=5)", 1, 2, 16, 16, half=True),
    "coreai-ane/pooling-stride": core_ai("nn.MaxPool2d(3, 3)", 1, 2, 9, 9, half=True),
    "executorch-coreai/no-lowering": divided("x.sort(1)[0]", 1, 4),
    "executorch-coreai/64-bit": divided("F.max_pool2d(x, 2)", 1, 2, 4, 4),
}  # fmt: skip
CLEAN: dict[str, Callable[[Path], Path | list[Operator]]] = {
    "tflite": product(4),
    "coreml": core_ml("lambda x: mb.relu(x=mb.cast(x=x, dtype='fp16'))", {"x": ((1, 3, 4, 4), F32)}),
    "onnx": text("w = Constant<value = float[1,1,1,1] {1}>() c = Conv(x, w) y = Relu(c)", inputs="float[1,1,8,8] x"),
    "coreai": core_ai("F.max_pool2d(x.relu(), 2)", 1, 2, 4, 4, half=True),
    "executorch-coreai": divided("x.relu().exp()", 1, 4),
}


def head(target: str) -> Head:
    return Head(
        target=target, precision="fp32", backend="cpu", entry="head/x", files=[], inputs=[], outputs=[],
        ops_delegated=None, ops_total=None, not_run=None, tools={},
    )  # fmt: skip


def rules_found(backend: Backend, probe: Path | list[Operator]) -> set[str]:
    graph = operators(probe) if isinstance(probe, Path) else probe
    row = examine(graph, backend, head(backend.target), version="", how="rules")
    return {finding.rule for finding in row.findings}


def _needs_core_ai(backend: Backend) -> None:
    if "coreai" in (backend.target, backend.accelerator):
        require_package("coreai_torch", "coreai")


@pytest.mark.parametrize(("backend", "rule"), RULES, ids=[f"{backend.name}/{rule}" for backend, rule in RULES])
def test_a_rules_probe_triggers_it(backend: Backend, rule: str, tmp_path: Path):
    _needs_core_ai(backend)
    assert rule in rules_found(backend, PROBES[f"{backend.name}/{rule}"](tmp_path))


@pytest.mark.parametrize("name", sorted(name for name, each in BACKENDS.items() if CLEAN.keys() & {name, each.target}))
def test_a_clean_graph_triggers_nothing(name: str, tmp_path: Path):
    _needs_core_ai(BACKENDS[name])
    clean = CLEAN[name if name in CLEAN else BACKENDS[name].target]
    assert rules_found(BACKENDS[name], clean(tmp_path)) == set()


def test_no_probe_is_left_without_its_rule():
    assert set(PROBES) == {f"{backend.name}/{rule}" for backend, rule in RULES}


def test_every_backend_a_user_may_pick_has_a_file():
    assert set(BACKENDS) == {
        "executorch-xnnpack", "executorch-coreml", "executorch-vulkan", "executorch-qnn", "tflite-cpu", "tflite-gpu",
        "tflite-npu", "coreml-cpu", "coreml-gpu", "coreml-ane", "onnx-cpu", "onnx-nnapi", "onnx-coreml", "onnx-web",
        "coreai-cpu", "coreai-gpu", "coreai-ane", "executorch-coreai",
    }  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=lambda backend: backend.name)
def test_sources_are_pages_or_issues(backend: Backend):
    sources = [backend.source, *(rule.source for rule in backend.rule)]
    sources += [] if backend.taken is None else [backend.taken.source]
    assert all(source.startswith("https://") for source in sources)


def test_what_is_not_in_a_backends_list_falls_back(tmp_path: Path):
    probe = lite("UNIQUE", (F32, (4,), False), (F32, (4,), False))(tmp_path)
    assert rules_found(BACKENDS["tflite-gpu"], probe) == {"not-taken"}


def test_a_version_outside_of_the_range_is_not_judged(tmp_path: Path):
    graph = operators(masked(tmp_path))
    found = {
        version: {
            f.rule
            for f in examine(graph, BACKENDS["tflite-gpu"], head("tflite"), version=version, how="rules").findings
        }
        for version in ("2.1.5", "2.1.6")
    }
    assert "masked-attention" in found["2.1.5"]
    assert "masked-attention" not in found["2.1.6"]


def test_a_rule_in_five_lines(tmp_path: Path):
    rule = (
        '[[rule]]\nname = "no-exp"\noperators = ["EXP"]\nconsequence = "slow"\n'
        'sentence = "Exponentials take long on this one."\nsource = "https://example.org/issues/1"\n'
    )
    front = 'title = "T"\ntarget = "tflite"\naccelerator = "x"\nruntime = "r"\nhow = "rules"\nsource = "https://example.org"\n'
    (tmp_path / "mine.toml").write_text(front + rule)
    (backend,) = load_backends(folder=tmp_path)
    probe = lite("EXP", (F32, (1, 4), False), (F32, (1, 4), False))(tmp_path)
    assert rules_found(backend, probe) == {"no-exp"}


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (
            '[[rule]]\nname = "a"\noperators = ["EXP"]\nconsequence = "slow"\nsentence = "It takes long on this one."',
            "source",
        ),
        ('colour = "red"', "colour"),
        ("title = ", "not TOML"),
    ],
)
def test_a_rule_file_that_does_not_fit_is_one_sentence(tmp_path: Path, rule: str, word: str):
    (tmp_path / "mine.toml").write_text(rule)
    with pytest.raises(InputError, match=word):
        load_backends(folder=tmp_path)


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="tflite-gpu"):
        load_backends(("tflite-cpuu", "tflite-gpu"))


def test_what_holds_for_all_operators_is_told_once(tmp_path: Path):
    require_package("coreai_torch", "coreai")
    graph = operators(core_ai("x.relu().exp() + 1", 1, 4)(tmp_path))
    row = examine(graph, BACKENDS["coreai-ane"], head("coreai"), version="", how="rules")
    assert [(found.rule, found.operator, found.count) for found in row.findings] == [("float32", "every operator", 3)]
    assert (row.ops_taken, row.ops_total, row.partitions) == (0, 3, 0)
