"""What the graph says about its ends: how the answers are made, and whether the image is normalised inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..tasks.base import Fact, Facts
from .answers import served_nodes
from .crossing import seen_of_image
from .graph import image_of
from .names import is_plumbing, operator

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from .network import Network

#: how many operators back from an answer are looked at
_LAST = 6
_AFFINE = ("add", "sub", "rsub", "mul", "div", "true_divide", "batch_norm")
#: a scale below this brings bytes to about one
_BYTES = 1 / 100


@dataclass(frozen=True)
class Inside:
    """How a network treats its image before its first layer.

    Attributes:
        normalises: it scales or shifts the image itself.
        bytes: it takes pixel values from 0 to 255.
    """

    normalises: bool
    bytes: bool


def facts_of(network: Network, *, labelled: bool) -> Facts:
    """What is known of a network's answers."""
    nodes = served_nodes(network.graph)
    outputs = tuple(
        Fact(one.name, one.shape, not one.dtype.startswith(("float", "bfloat")), _last_operators(nodes[one.place]))
        for one in network.outputs
    )
    return Facts(outputs, network.image, labelled)


def _last_operators(answer: Node) -> tuple[str, ...]:
    """Names of the operators that make an answer, nearest first, without those that only move values."""
    found: list[str] = []
    pending, seen = [answer], set()
    while pending and len(found) < _LAST:
        node = pending.pop(0)
        if node in seen or node.op != "call_function":
            continue
        seen.add(node)
        if not is_plumbing(node):
            found.append(operator(node).rstrip("_"))
        pending += node.all_input_nodes
    return tuple(found)


def inside_of(network: Network) -> Inside:
    """Follow the image to the first operator that neither scales nor shifts it."""
    graph = network.graph
    seen = seen_of_image(graph)
    node, scaled, small, whole = image_of(graph), False, False, False
    while True:
        users = [user for user in node.users if user in seen and user.op == "call_function"]
        if len(users) != 1:
            break
        node = users[0]
        value = node.meta.get("val")
        whole = whole or str(getattr(value, "dtype", "")) == "torch.uint8"
        name = operator(node).rstrip("_")
        if name in _AFFINE:
            scaled = True
            small = small or _shrinks(graph, node, name)
        elif not is_plumbing(node) and name not in ("round", "clamp"):
            break
    return Inside(scaled, small or whole)


def _shrinks(graph: GraphModule, node: Node, name: str) -> bool:
    """Whether it divides by about 255."""
    from torch.fx import Node

    amounts = [argument for argument in node.args[1:2] if isinstance(argument, int | float)]
    for source in node.args[1:2]:
        if isinstance(source, Node) and source.op == "get_attr":
            holder, _, attribute = str(source.target).rpartition(".")
            amounts.append(float(getattr(graph.get_submodule(holder), attribute).abs().max()))
    factors = [1 / amount if name in ("div", "true_divide") else amount for amount in amounts if amount]
    return name in ("div", "true_divide", "mul") and any(0 < factor < _BYTES for factor in factors)
