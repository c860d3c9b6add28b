"""Computes once what depends on weights alone: reparametrised weights, masks, sampling positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._replace import store

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

#: a result of more elements than this, and more than what it is made of, is left to be made on the phone
_MOST = 1 << 20
#: made here they would be constants of their own; converters know them as what they are
_LEFT = {"aten.expand.default", "aten.zeros.default", "aten.ones.default", "aten.full.default"}


def fold(module: GraphModule) -> bool:
    """Fold constants, in place. Returns whether there was anything to fold.

    Quantised weights stay quantised: decoding them here would make them floats.
    """
    import torch

    known: dict[Node, Any] = {}
    folded: set[Node] = set()
    for node in module.graph.nodes:
        if node.op == "get_attr":
            known[node] = _attribute(module, node.target)
        elif _foldable(node) and all(one in known for one in node.all_input_nodes):
            arguments, options = torch.fx.node.map_arg((node.args, node.kwargs), lambda one: known[one])
            value = node.target(*arguments, **options)
            if isinstance(value, torch.Tensor) and value.numel() <= max(_MOST, _elements(node, known)):
                known[node] = value
                folded.add(node)
    ends = [node for node in folded if any(user not in folded for user in node.users) and _worth_it(node)]
    for node in ends:
        with module.graph.inserting_before(node):
            constant = module.graph.get_attr(store(module, node, known[node].detach().clone().contiguous()))
            constant.meta = dict(node.meta)
        node.replace_all_uses_with(constant)
    if ends:
        module.graph.eliminate_dead_code()
        module.recompile()
    return bool(ends)


def _foldable(node: Node) -> bool:
    import torch

    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    schema = node.target._schema
    random = torch.Tag.nondeterministic_seeded in node.target.tags
    return not (schema.is_mutable or random or node.target.namespace != "aten")


def _worth_it(node: Node) -> bool:
    return str(node.target) not in _LEFT


def _elements(node: Node, known: dict[Node, Any]) -> int:
    return sum(known[one].numel() for one in node.all_input_nodes)


def _attribute(module: GraphModule, path: str) -> Any:  # noqa: ANN401 - a tensor
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value
