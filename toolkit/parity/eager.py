"""What eager torch computes on the way to the smashed features: every operator's result, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Interpreter, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def pairs_by_name(found: Mapping[str, Array], eager: Mapping[str, EagerLayer]) -> list[Pair]:
    """Pair results that carry the operators' names."""
    return [
        Pair([*_fused(eager, found, eager[name]), eager[name]], value.reshape(eager[name].value.shape))
        for name, value in found.items()
    ]


def _fused(eager: Mapping[str, EagerLayer], known: Mapping[str, Array], layer: EagerLayer) -> list[EagerLayer]:
    """Operators before this one whose results the file does not tell, because it computes them together."""
    chain: list[EagerLayer] = []
    while True:
        before = [name for name in layer.inputs if name in eager]
        if len(before) != 1 or before[0] in known:
            return chain[::-1]
        layer = eager[before[0]]
        chain.append(layer)


def eager_layers(head: HeadProgram, feed: Mapping[str, Array]) -> dict[str, EagerLayer]:
    """Run the head operator by operator, in the graph's order.

    Args:
        head: as it is given to converters.
        feed: image [1,C,H,W] and, where the head takes noise, eps [1,...].
    """
    with torch.no_grad():
        program = torch.export.export(head.module(), head.example()).run_decompositions({})
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
    name = str(node.target).removeprefix("aten.").partition(".")[0].strip("_")
    return "batch_norm" if "batch_norm" in name else name
