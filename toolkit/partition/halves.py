"""Graph surgery: the head up to the values that cross, and the tail from there to the answers.

Whatever its layout in the network, what crosses is one tensor of maps [B,C,h,w]: channels-last maps are turned, tokens
[B,N,C] become a column [B,C,N,1], vectors [B,C,1,1]; of several tensors, larger maps are folded to the size of the
smallest (pixels into channels) and stacked. Likewise the tail hands out one tensor [B,K]: several answers stand one
behind the other. So protections, codes, attacks, servers and phones deal with one form. Moving values changes no bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.fx import Graph, GraphModule, Node

from .answers import served_nodes
from .crossing import is_size, seen_of_image
from .layouts import maps_shape
from .maps import from_maps, stack, to_maps, unstack

if TYPE_CHECKING:
    from collections.abc import Sequence


def head_of(graph: GraphModule, crossing: Sequence[Node], layouts: Sequence[str]) -> GraphModule:
    """Image [B,C,H,W] -> what crosses [B,C,h,w], float32."""
    half, copies = Graph(), dict[Node, Node]()
    last = max(crossing, key=list(graph.graph.nodes).index)
    for node in graph.graph.nodes:
        copies[node] = half.node_copy(node, lambda old: copies[old])
        if node is last:
            break
    made = [
        to_maps(half, _cast(half, copies[node], torch.float32), layout)
        for node, layout in zip(crossing, layouts, strict=True)
    ]
    half.output(stack(half, made, _shapes(crossing, layouts)))
    return _module(graph, half, "Head")


def tail_of(
    graph: GraphModule, crossing: Sequence[Node], layouts: Sequence[str], answers: Sequence[Node]
) -> GraphModule:
    """What crosses [B,C,h,w] -> the answers [B,K], float32.

    Constants and sizes are computed anew: the features carry the batch size on their first axis.
    """
    half, copies = Graph(), dict[Node, Node]()
    arrived = half.placeholder("smashed")
    parts = unstack(half, arrived, _shapes(crossing, layouts))
    for node, layout, part in zip(crossing, layouts, parts, strict=True):
        copies[node] = _cast(half, from_maps(half, part, layout), node.meta["val"].dtype)
    seen = seen_of_image(graph)
    order = {node: index for index, node in enumerate(graph.graph.nodes)}
    last = max(order[node] for node in crossing)
    batch: Node | None = None
    for node, index in order.items():
        if node.op in ("placeholder", "output") or node in copies:
            continue
        if is_size(node) and index < last and _reads_tensor(node):
            # every free size is the batch size
            batch = batch or half.call_function(torch.ops.aten.sym_size.int, (arrived, 0))
            copies[node] = batch
        elif node not in seen or index > last:
            copies[node] = half.node_copy(node, lambda old: copies[old])
    half.output(_flat(half, [copies[node] for node in answers], answers))
    return _module(graph, half, "Tail")


def whole_of(graph: GraphModule) -> GraphModule:
    """The network as one plain module, image -> answers [B,K]: a head that leaves no tail."""
    half, copies = Graph(), dict[Node, Node]()
    for node in graph.graph.nodes:
        if node.op != "output":
            copies[node] = half.node_copy(node, lambda old: copies[old])
    answers = list(served_nodes(graph).values())
    half.output(_flat(half, [copies[node] for node in answers], answers))
    return _module(graph, half, "Head")


def _shapes(crossing: Sequence[Node], layouts: Sequence[str]) -> list[tuple[int, int, int]]:
    found = []
    for node, layout in zip(crossing, layouts, strict=True):
        found.append(maps_shape(tuple(int(size) for size in node.meta["val"].shape[1:]), layout))
    return found


def _flat(half: Graph, values: Sequence[Node], answers: Sequence[Node]) -> Node:
    """Answers [B,...] one behind the other [B,K]."""
    aten = torch.ops.aten
    made = []
    for value, answer in zip(values, answers, strict=True):
        axes = answer.meta["val"].ndim
        if axes == 1:
            value = half.call_function(aten.unsqueeze.default, (value, 1))
        elif axes > 2:
            value = half.call_function(aten.flatten.using_ints, (value, 1))
        made.append(_cast(half, value, torch.float32, answer))
    return made[0] if len(made) == 1 else half.call_function(aten.cat.default, (made, 1))


def _cast(half: Graph, value: Node, dtype: torch.dtype, like: Node | None = None) -> Node:
    """As `dtype`; half precision and whole numbers below 2^24 pass through float32 unchanged."""
    known = (like or value).meta.get("val")
    if (torch.float32 if known is None else known.dtype) == dtype:  # what arrives is float32
        return value
    return half.call_function(torch.ops.aten.to.dtype, (value, dtype))


def _reads_tensor(node: Node) -> bool:
    return any(isinstance(source.meta.get("val"), torch.Tensor) for source in node.all_input_nodes)


def _module(root: GraphModule, graph: Graph, name: str) -> GraphModule:
    graph.eliminate_dead_code()
    graph.lint()
    return GraphModule(root, graph, name)
