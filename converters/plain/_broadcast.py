"""Operands that are expanded before they meet a larger one: the arithmetic broadcasts them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_ARITHMETIC = {f"aten.{name}.Tensor" for name in ("add", "sub", "mul", "div")}
_EXPANDED = {"aten.expand.default", "aten.expand_as.default"}


def unexpanded(module: GraphModule) -> bool:
    """Hand arithmetic the operand as it was before, in place. Returns whether there was any.

    LiteRT's converter expands to the shape of another layout than the one that it has moved the product to, and XNNPACK
    has no such operator.
    """
    found = False
    for node in module.graph.nodes:
        if str(node.target) in _ARITHMETIC:
            for operand in node.all_input_nodes:
                if str(operand.target) in _EXPANDED and _same_without(node, operand):
                    node.replace_input_with(operand, operand.all_input_nodes[0])
                    found = True
    if found:
        module.graph.eliminate_dead_code()
        module.recompile()
    return found


def _same_without(node: Node, expanded: Node) -> bool:
    """Whether the operands broadcast to the result's shape by themselves."""
    import torch

    operands = [one.all_input_nodes[0] if one is expanded else one for one in node.all_input_nodes]
    shapes = [one.meta["val"].shape for one in operands]
    wanted: bool = torch.broadcast_shapes(*shapes) == node.meta["val"].shape
    return wanted
