"""What a graph's operators cost: multiply-accumulates for one image, and the weights that they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NetworkError
from .graph import image_of, where

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def parameters_per_node(graph: GraphModule) -> dict[Node, int]:
    """Weights counted at the first operator that uses them."""
    from torch.nn import Parameter

    counts: dict[Node, int] = {}
    for node in graph.graph.nodes:
        if node.op == "get_attr" and node.users:
            holder, _, name = str(node.target).rpartition(".")
            value = getattr(graph.get_submodule(holder), name)
            if isinstance(value, Parameter):
                first = next(iter(node.users))
                counts[first] = counts.get(first, 0) + value.numel()
    return counts


def macs_per_node(graph: GraphModule) -> dict[Node, int]:
    """Multiply-accumulates of each operator for one image, by torch's own flop counter on shapes only.

    Raises:
        NetworkError: what the network computes depends on the values in the photo, not on its size alone.
    """
    import torch
    from torch._subclasses import FakeTensorMode
    from torch.fx import Interpreter
    from torch.utils.flop_counter import FlopCounterMode

    macs: dict[Node, int] = {}
    counter = FlopCounterMode(display=False)

    class Counting(Interpreter):
        def run_node(self, n: Node) -> object:
            before = counter.get_total_flops()
            try:
                result = super().run_node(n)
            except Exception as error:  # shapes alone do not tell the result: .item(), nonzero, masks as indices
                raise NetworkError(
                    f"Operator {n.name}{where(n)} needs the photo's own values to go on, so one graph cannot serve "
                    "every photo; compute with all values there instead (torch.where rather than .item() or a mask)."
                ) from error
            macs[n] = (counter.get_total_flops() - before) // 2
            return result

    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), counter:
        image = image_of(graph).meta["val"]
        Counting(graph).run(torch.empty(1, *image.shape[1:], dtype=image.dtype))
    return macs
