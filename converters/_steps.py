"""A head's graph that also hands out what its operators compute, lowered like the head itself.

A .pte keeps none of it (the whole head is one call into XNNPACK, which hands out its end only); an .aimodel shows it
only with debugging information that this project does not ship.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.fx import Graph, GraphModule, Node

if TYPE_CHECKING:
    from torch.export import ExportedProgram

#: XNNPACK computes these together with what comes before them; handing that out would keep it from doing so
_CLAMPS = ("relu", "relu6", "hardtanh", "clamp")
_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "convolution")


def with_steps(program: ExportedProgram) -> tuple[GraphModule, list[str], dict[str, tuple[str, ...]]]:
    """Let a head hand out its operators' results.

    Operators that the backend computes together are handed out as one, under the last one's name; int8 codes are
    handed out decoded.

    Args:
        program: the head, with int8's codes in it where it is quantised.

    Returns:
        (image[, eps]) -> (smashed, *flattened results); the results' names; all operators' names, in order,
        with the names of what each reads.
    """
    whole = program.run_decompositions({}).module(check_guards=False)
    graph = Graph()
    copies: dict[Node, Node] = {}
    steps: dict[str, Node] = {}
    names: dict[str, tuple[str, ...]] = {}
    for node in whole.graph.nodes:
        if node.op == "output":
            continue
        copies[node] = graph.node_copy(node, lambda old: copies[old])
        if node.op == "call_function" and not _recodes(node):
            names[node.name] = tuple(source.name for source in node.all_input_nodes)
            if _is_float(node) and not _hidden(node):
                steps[node.name] = node
    (smashed,) = whole.graph.output_node().all_input_nodes
    # flat: XNNPACK may hand out [1,c,h,w] in its own order, [1,h,w,c], which its runtime then refuses
    flat = torch.ops.aten.reshape.default
    results = [graph.call_function(flat, (_handed_out(graph, copies, node), [-1])) for node in steps.values()]
    graph.output((copies[smashed], *results))
    return GraphModule(whole, graph), list(steps), names


def _handed_out(graph: Graph, copies: dict[Node, Node], node: Node) -> Node:
    """The operator's result, as the operators behind it read it: through its codes where all of them do."""
    users = list(node.users)
    if not users or not all(_name(user) == "quantize_per_tensor" for user in users):
        return copies[node]
    decode = next(iter(users[0].users))
    # one of its own: backends want each reader of codes to have one
    return graph.node_copy(decode, lambda old: copies[old])


def _name(node: Node) -> str:
    return str(node.target).partition(".")[2].partition(".")[0].strip("_") if node.op == "call_function" else ""


def _recodes(node: Node) -> bool:
    return "quantize" in _name(node)


def _is_float(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _hidden(node: Node) -> bool:
    """Whether a backend computes this operator together with the one behind it."""
    if len(node.users) != 1:
        return False
    (user,) = node.users
    if _name(user) in _CLAMPS:
        return True
    return _name(node) in _CONVOLUTIONS and "batch_norm" in _name(user)
