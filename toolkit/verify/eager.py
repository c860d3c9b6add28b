"""What eager torch computes on the way to the smashed features: every operator's result, by name."""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Interpreter, Node

from converters.plain import plain

from .compare import sqnr_db

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torch.export import ExportedProgram

    from converters.base import HeadProgram

    from .replay import Array

_FOLDED = ("getitem", "detach", "alias", "clone", "lift_fresh_copy")


@dataclass(frozen=True)
class EagerLayer:
    """One operator of the head.

    Attributes:
        name: in the exported graph; ONNX and Core ML keep it.
        operator: such as "conv2d".
        module: path of the module that it belongs to, such as "backbone.layer1.conv1".
        inputs: names of the operators whose results it reads.
        value: its result for one golden row.
    """

    name: str
    operator: str
    module: str
    inputs: tuple[str, ...]
    value: Array


@dataclass(frozen=True)
class Pair:
    """What a file computes and what eager torch does there.

    Attributes:
        chain: the operators that the file computes together, last the one whose result is compared.
        got: the file's result, in the shape of `chain[-1].value`.
    """

    chain: list[EagerLayer]
    got: Array


def pairs_by_name(found: Mapping[str, Array], eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    """Pair results that carry the operators' names.

    An exporter that rewrites the graph may number its names again. A result that does not match the operator of its
    name but matches another one, above `threshold` dB, is therefore paired with that one.
    """
    named: dict[str, Array] = {}
    for name, value in found.items():
        layer = eager[name]
        fits = value.size == layer.value.size
        if fits and sqnr_db(layer.value, value.reshape(layer.value.shape)) >= threshold:
            named[name] = value
            continue
        other = recognise(value, eager, threshold)
        if other is not None:
            named.setdefault(other, value)
        elif fits:
            named.setdefault(name, value)
    return [
        Pair([*fused(eager, named, eager[name]), eager[name]], as_eager(value, eager[name]))
        for name, value in named.items()
    ]


def as_eager(value: Array, layer: EagerLayer) -> Array:
    """In eager torch's shape, in the layout that fits better."""
    shape = layer.value.shape
    plain = value.reshape(shape)
    if len(shape) != 4:
        return plain
    n, c, h, w = shape
    turned = value.reshape(n, h, w, c).transpose(0, 3, 1, 2)
    return turned if sqnr_db(layer.value, turned) > sqnr_db(layer.value, plain) else plain


def recognise(value: Array, eager: Mapping[str, EagerLayer], threshold: float) -> str | None:
    """Name of the operator whose result this is, in either layout, above `threshold` dB; None if of none."""
    same_size = [layer for layer in eager.values() if layer.value.size == value.size]
    scored = [(sqnr_db(layer.value, as_eager(value, layer)), layer.name) for layer in same_size]
    best, name = max(scored, key=lambda pair: pair[0], default=(-math.inf, ""))
    return name if best >= threshold else None


def fused(eager: Mapping[str, EagerLayer], known: Collection[str], layer: EagerLayer) -> list[EagerLayer]:
    """Operators before this one whose results the file does not expose, because it computes them together."""
    chain: list[EagerLayer] = []
    while True:
        before = [name for name in layer.inputs if name in eager]
        if len(before) != 1 or before[0] in known:
            return chain[::-1]
        layer = eager[before[0]]
        chain.append(layer)


def eager_layers(target: str, head: HeadProgram, feed: Mapping[str, Array]) -> dict[str, EagerLayer]:
    """Run the head operator by operator with torch, in the graph's order and under the names that converters see.

    Args:
        target: whose file is looked at.
        head: as it is given to converters.
        feed: image [1,C,H,W] and, where the head takes noise, eps [1,...].
    """
    with torch.no_grad(), exporting():
        program = plain(head.module(), head.example(), target).run_decompositions({})
        recorder = _Recorder(program)
        recorder.run(*recorder.states, *(torch.from_numpy(feed[name]) for name in ("image", "eps") if name in feed))
    modules = _modules(program)
    found: dict[str, EagerLayer] = {}
    for node, value in recorder.seen.items():
        tensor = value[0] if isinstance(value, tuple | list) else value
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            inputs = tuple(source.name for source in node.all_input_nodes)
            operator = _operator(node)
            found[node.name] = EagerLayer(node.name, operator, modules[node.name], inputs, tensor.numpy())
    return found


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Silence what torch's exporter says about torch's own code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
        yield


class _Recorder(Interpreter):
    """Keeps every operator's result; the copy is needed because memory planning is not ours to trust."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__(program.graph_module)
        self.seen: dict[Node, Any] = {}
        held = {**program.state_dict, **program.constants}
        targets = [spec.target for spec in program.graph_signature.input_specs if spec.target is not None]
        self.states = [held[target] for target in targets]

    def run_node(self, n: Node) -> Any:  # noqa: ANN401 - whatever an operator gives
        value = super().run_node(n)
        if n.op == "call_function":
            self.seen[n] = value
        return value


def _modules(program: ExportedProgram) -> dict[str, str]:
    """Node name -> module path: from the graph, from the weights that it reads, else its first input's."""
    owners = {
        spec.arg.name: str(spec.target).rpartition(".")[0]
        for spec in program.graph_signature.input_specs
        if spec.target is not None
    }
    found: dict[str, str] = {}
    for node in program.graph.nodes:
        stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values() if path]
        own = next((owners[source.name] for source in node.all_input_nodes if source.name in owners), "")
        before = next((found[source.name] for source in node.all_input_nodes if found.get(source.name)), "")
        found[node.name] = own or (stack[-1] if stack else "") or before
    return found


def _operator(node: Node) -> str:
    if node.name.startswith(_FOLDED):
        return _operator(node.all_input_nodes[0]) if node.all_input_nodes else node.name
    parts = str(node.target).split(".")  # such as aten.conv2d.default
    name = (parts[1] if len(parts) > 1 else parts[0]).strip("_")
    return "batch_norm" if "batch_norm" in name else name
