"""Replaces operators of an exported graph by other operators that give the same values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from ._table import Function, Rewrite

#: passes over the graph: a replacement may itself hold operators to replace
_ROUNDS = 4


def functional(program: ExportedProgram) -> ExportedProgram:
    """Turn in-place writes into operators that return new tensors; other graphs stay as they are."""
    schemas = (getattr(node.target, "_schema", None) for node in program.graph.nodes)
    if any(schema is not None and schema.is_mutable for schema in schemas):
        decomposed: ExportedProgram = program.run_decompositions({})
        return decomposed
    return program


def replace(module: GraphModule, table: Mapping[str, Sequence[Rewrite]], target: str) -> bool:
    """Replace, in place, whatever the table has for this target. Returns whether anything was."""
    changed = False
    for _ in range(_ROUNDS):
        nodes = [node for node in module.graph.nodes if node.op == "call_function" and str(node.target) in table]
        done = [_replaced(module, node, table[str(node.target)], target) for node in nodes]
        if not any(done):
            break
        changed = True
    if changed:
        module.graph.eliminate_dead_code()
        module.recompile()
    return changed


def _replaced(module: GraphModule, node: Node, choices: Sequence[Rewrite], target: str) -> bool:
    for choice in choices:
        if choice.wanted(target):
            made = _traced(choice.function, node)
            if made is not None:
                _splice(module, node, made)
                return True
    return False


def _traced(function: Function, node: Node) -> GraphModule | None:
    """Record what a function does with tensors like the operator's own; None where it declines."""
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    inputs = node.all_input_nodes
    declined = False

    def call(*tensors: torch.Tensor) -> Any:  # noqa: ANN401 - whatever the operator gives
        nonlocal declined
        known = dict(zip(inputs, tensors, strict=True))
        arguments, options = torch.fx.node.map_arg((node.args, node.kwargs), lambda one: known[one])
        made = function(*arguments, **options)
        declined = made is None
        return tensors[0] if declined else made

    values = [one.meta["val"] for one in inputs]
    blank = [torch.zeros(value.shape, dtype=value.dtype) for value in values]
    made = make_fx(call, pre_dispatch=True)(*blank)
    return None if declined else made


def _splice(module: GraphModule, node: Node, made: GraphModule) -> None:
    """Put a recorded function where the operator stands; it keeps the operator's place in the user's code."""
    graph = module.graph
    copies: dict[Node, Any] = {}
    waiting = iter(node.all_input_nodes)
    place = {key: node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in node.meta}
    if place.get("nn_module_stack"):
        place["nn_module_stack"] = _of_no_class(place["nn_module_stack"])
    with graph.inserting_before(node):
        for step in made.graph.nodes:
            if step.op == "placeholder":
                copies[step] = next(waiting)
            elif step.op == "get_attr":
                copies[step] = graph.get_attr(_kept(module, node, getattr(made, step.target)))
            elif step.op == "call_function":
                copies[step] = graph.node_copy(step, lambda one: copies[one])
                copies[step].meta = {**place, "val": step.meta.get("val")}
        result: Any = made.graph.output_node().args[0]
        if isinstance(result, tuple | list):
            _hand_out(node, [copies[one] for one in result])
        else:
            node.replace_all_uses_with(copies[result])
    graph.erase_node(node)


def _of_no_class(stack: Mapping[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """Keep where modules stand, not what the innermost one is: quantisers expect of a class its own operator."""
    *outer, (key, (path, _)) = stack.items()
    return {**dict(outer), key: (path, "torch.nn.modules.module.Module")}


def _hand_out(node: Node, results: Sequence[Node]) -> None:
    """Give an operator of several results to those who read one of them each."""
    for user in list(node.users):
        number: Any = user.args[1]
        user.replace_all_uses_with(results[number])
        user.graph.erase_node(user)


def _kept(module: GraphModule, node: Node, value: Any) -> str:  # noqa: ANN401 - a tensor
    """Store a constant beside the weights of the module that the operator belongs to."""
    return store(module, node, value.detach().clone())


def store(module: GraphModule, node: Node, value: Any) -> str:  # noqa: ANN401 - a tensor
    """Register a constant as a buffer under the operator's outermost module; returns its path.

    Converters tell the protection's constants, which stay in float, from the network's by that path.
    """
    paths = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
    owner = paths[0].split(".")[0] if paths else ""
    home = getattr(module, owner, None) if owner else None
    if home is None:
        owner, home = "", module
    name = next(f"plain_{count}" for count in range(10**6) if not hasattr(home, f"plain_{count}"))
    home.register_buffer(name, value)
    return f"{owner}.{name}" if owner else name
