"""Graph surgery: the head up to the values that cross, and the tail from there to the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Graph, GraphModule, Node

from .answers import served_nodes
from .crossing import is_size, seen_of_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn


def smashed_name(index: int) -> str:
    """Name of the tensor that crosses at this place: smashed, smashed_1, ..."""
    return "smashed" if index == 0 else f"smashed_{index}"


def head_of(graph: GraphModule, crossing: Sequence[Node]) -> GraphModule:
    """Image [B,C,H,W] -> what crosses, float32: one tensor, or a tuple of them."""
    half = Graph()
    copies: dict[Node, Node] = {}
    last = max(crossing, key=list(graph.graph.nodes).index)
    for node in graph.graph.nodes:
        copies[node] = half.node_copy(node, lambda old: copies[old])
        if node is last:
            break
    made = [_cast(half, copies[node], torch.float32) for node in crossing]
    half.output(made[0] if len(made) == 1 else tuple(made))
    return _module(graph, half, "Head")


def tail_of(graph: GraphModule, crossing: Sequence[Node], answers: Sequence[Node]) -> GraphModule:
    """What crosses -> the answers, float32: one tensor, or a tuple of them.

    Constants and sizes are computed anew: the features carry the batch size on their first axis.
    """
    half = Graph()
    copies: dict[Node, Node] = {}
    for index, node in enumerate(crossing):
        arrived = half.placeholder(smashed_name(index))
        arrived.meta = dict(node.meta)
        copies[node] = arrived
    entry = copies[crossing[0]]
    for node in crossing:
        copies[node] = _cast(half, copies[node], node.meta["val"].dtype)
    seen = seen_of_image(graph)
    order = {node: index for index, node in enumerate(graph.graph.nodes)}
    last = max(order[node] for node in crossing)
    batch: Node | None = None
    for node, index in order.items():
        if node.op in ("placeholder", "output") or node in copies:
            continue
        if is_size(node) and index < last and _reads_tensor(node):
            # every free size is the batch size
            batch = batch or half.call_function(torch.ops.aten.sym_size.int, (entry, 0))
            copies[node] = batch
        elif node not in seen or index > last:
            copies[node] = half.node_copy(node, lambda old: copies[old])
    made = [_cast(half, copies[node], torch.float32) for node in answers]
    half.output(made[0] if len(made) == 1 else tuple(made))
    return _module(graph, half, "Tail")


def whole_of(graph: GraphModule) -> GraphModule:
    """The network as one plain module: a head that leaves no tail."""
    return head_of(graph, list(served_nodes(graph).values()))


def _cast(half: Graph, value: Node, dtype: torch.dtype) -> Node:
    """As `dtype`; half precision and whole numbers below 2^24 pass through float32 unharmed."""
    known = value.meta.get("val")
    if not isinstance(known, torch.Tensor) or (value.op != "placeholder" and known.dtype == dtype):
        return value
    if value.op == "placeholder" and dtype == torch.float32:
        return value
    return half.call_function(torch.ops.aten.to.dtype, (value, dtype))


def _reads_tensor(node: Node) -> bool:
    return any(isinstance(source.meta.get("val"), torch.Tensor) for source in node.all_input_nodes)


def _module(root: GraphModule, graph: Graph, name: str) -> GraphModule:
    graph.eliminate_dead_code()
    graph.lint()
    return GraphModule(root, graph, name)


def as_tuple(value: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What a half returns, as a tuple whether it is one tensor or several."""
    return (value,) if isinstance(value, torch.Tensor) else tuple(value)


def joined(head: nn.Module, tail: nn.Module) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Head and tail one after the other."""

    def run(image: Tensor) -> tuple[Tensor, ...]:
        result: Any = tail(*as_tuple(head(image)))
        return as_tuple(result)

    return run
