"""What crosses at a point of the graph: the values that exist there and are still needed later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import GraphModule, Node


def is_size(node: Node) -> bool:
    """Whether a node's value is a number made of the graph's sizes, not a tensor."""
    import torch

    return node.op == "call_function" and isinstance(node.meta.get("val"), torch.SymInt | int)


def seen_of_image(module: GraphModule) -> set[Node]:
    """Nodes whose value depends on the image's pixels; the others are constants but for the batch size."""
    found: set[Node] = set()
    for node in module.graph.nodes:
        if node.op == "placeholder" or (not is_size(node) and any(one in found for one in node.all_input_nodes)):
            found.add(node)
    return found


def crossing(module: GraphModule) -> dict[Node, list[Node]]:
    """For each operator that sees the image, the values that exist after it and are still needed later, in order.

    Weights do not cross (each half has its own), nor do sizes (a tail reads the batch size off its input), nor
    constants (a tail makes its own). A tuple of tensors never crosses: what is taken out of it does.
    """
    order = {node: index for index, node in enumerate(module.graph.nodes)}
    last = _last_use(module, order)
    seen = seen_of_image(module)
    alive: dict[Node, None] = {}
    found: dict[Node, list[Node]] = {}
    for node, index in order.items():
        if node in seen and node.op in ("placeholder", "call_function"):
            alive[node] = None
        alive = {value: None for value in alive if last[value] > index}
        if node in seen and node.op == "call_function":
            found[node] = list(alive)
    return found


def _last_use(module: GraphModule, order: Mapping[Node, int]) -> dict[Node, int]:
    """Where each value is read last; reading its size is not reading it."""
    return {
        node: max((order[user] for user in node.users if not is_size(user)), default=-1) for node in module.graph.nodes
    }
