"""What the operators of a network cost, as a few counts that a latency model can weigh.

Counts are for one image. Operators that runtimes fold into the one before them (batch norm, an activation
behind a convolution, dropout, reshapes) count nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..partition.graph import to_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from ..partition.cuts import Cut
    from ..partition.network import Network

    Counts = np.ndarray[tuple[int], np.dtype[np.float64]]

#: dense convolutions reach another speed on large maps than on small ones, 1x1 ones have no window to gather
KINDS = (
    "large_map_macs",
    "small_map_macs",
    "pointwise_macs",
    "depthwise_macs",
    "linear_macs",
    "moved_elements",
    "operators",
)
_LARGE_MAP = 56 * 56
_FREE = (
    "batch_norm", "dropout", "flatten", "view", "reshape", "permute", "transpose", "detach", "clone", "slice",
    "sym_size", "squeeze", "unflatten",
)  # fmt: skip
_FUSED_ACTIVATIONS = ("relu", "hardtanh", "clamp")
_FUSES = ("conv", "batch_norm", "linear", "addmm", "add")


def costs_at_cuts(network: Network, cuts: Sequence[Cut]) -> tuple[dict[str, Counts], Counts]:
    """Sum up the counts of every head.

    Returns:
        ({cut name: counts [len(KINDS)]}, counts of the whole network).
    """
    graph = to_graph(network.program)
    wanted = {cut.node: cut.name for cut in cuts}
    total = np.zeros(len(KINDS))
    found: dict[str, Counts] = {}
    for node in graph.graph.nodes:
        total = total + _count(graph, node)
        if node.name in wanted:
            found[wanted[node.name]] = total
    return found, total


def costs_of_block(block: nn.Module, shape: Sequence[int], eps: Sequence[int] | None) -> Counts:
    """Count what is fused behind a head that yields [1,*shape]."""
    import torch

    example = [torch.zeros(1, *shape)] if eps is None else [torch.zeros(1, *shape), torch.zeros(1, *eps)]
    with torch.no_grad():
        program: ExportedProgram = torch.export.export(block.eval(), tuple(example))
    graph = to_graph(program)
    return sum((_count(graph, node) for node in graph.graph.nodes), np.zeros(len(KINDS)))


def _count(graph: GraphModule, node: Node) -> Counts:
    counts = np.zeros(len(KINDS))
    if node.op != "call_function":
        return counts
    kind = str(getattr(node.target, "overloadpacket", node.target)).rpartition(".")[2]
    out = _elements(node)
    if out == 0 or kind.startswith(_FREE) or (kind.startswith(_FUSED_ACTIVATIONS) and _is_fused(node)):
        return counts
    counts[KINDS.index("operators")] = 1
    if kind.startswith("conv"):
        weight = _weight_shape(graph, node)
        per_output = math.prod(weight[1:])
        area = math.prod(int(size) for size in node.meta["val"].shape[2:])
        if weight[1] == 1 and weight[0] > 1:
            slot = "depthwise_macs"
        elif math.prod(weight[2:]) == 1:
            slot = "pointwise_macs"
        else:
            slot = "large_map_macs" if area > _LARGE_MAP else "small_map_macs"
        counts[KINDS.index(slot)] = out * per_output
    elif kind in ("linear", "addmm"):
        counts[KINDS.index("linear_macs")] = out * _weight_shape(graph, node)[-1]
    elif kind in ("bmm", "matmul"):
        counts[KINDS.index("pointwise_macs")] = out * int(node.all_input_nodes[0].meta["val"].shape[-1])
    else:
        read = sum(_elements(source) for source in node.all_input_nodes)
        counts[KINDS.index("moved_elements")] = out + read
    return counts


def _elements(node: Node) -> int:
    """Elements of a node's value for one image; 0 for what is no tensor of the batch."""
    import torch

    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or value.ndim < 2 or node.op == "get_attr":
        return 0
    return math.prod(int(size) for size in value.shape[1:])


def _is_fused(node: Node) -> bool:
    source = node.all_input_nodes[0]
    kind = str(getattr(source.target, "overloadpacket", source.target)).rpartition(".")[2]
    return source.op == "call_function" and kind.startswith(_FUSES)


def _weight_shape(graph: GraphModule, node: Node) -> tuple[int, ...]:
    for source in node.all_input_nodes:
        if source.op == "get_attr":
            holder, _, name = str(source.target).rpartition(".")
            shape = tuple(getattr(graph.get_submodule(holder), name).shape)
            if len(shape) >= 2:
                return shape
    # computed weights: take what the graph says about their shape
    return tuple(int(size) for size in node.all_input_nodes[1].meta["val"].shape)
