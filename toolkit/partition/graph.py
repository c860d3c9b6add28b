"""The exported graph in the form that cutting needs: no in-place operators, one value per node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node


def to_graph(program: ExportedProgram) -> GraphModule:
    """Return the program as a module whose graph is purely functional.

    In-place operators (relu_ and the like) become their plain twins: the values stay the same to the bit,
    and a tail does not write into the features that it was handed. Where an operator writes through a view
    that is read again later, torch's own functionalisation does it instead.
    """
    module = program.module(check_guards=False)
    for node in list(module.graph.nodes):
        if _is_in_place(node) and not _make_functional(module, node):
            module = program.run_decompositions({}).module(check_guards=False)
            break
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _is_in_place(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and schema.is_mutable


def _make_functional(module: GraphModule, node: Node) -> bool:
    """Replace one in-place operator by its plain twin; False where that would not be the same."""
    import torch

    target, operator = node.all_input_nodes[0], node.target
    if not isinstance(operator, torch._ops.OpOverload) or target is not node.args[0]:
        return False
    name = str(operator.overloadpacket).rpartition(".")[2]
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    overload = getattr(packet, operator._overloadname, None)
    if not name.endswith("_") or overload is None or target.op == "get_attr":
        return False
    order = {other: index for index, other in enumerate(module.graph.nodes)}
    for alias in _aliases(target):
        if alias is not target and any(order[user] > order[node] for user in alias.users):
            return False
    node.target = overload
    target.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node and order[user] > order[node])
    return True


def _aliases(node: Node) -> set[Node]:
    """Every value that shares memory with this one, through views up to their source and down again."""
    source = node
    while _is_view(source):
        source = source.all_input_nodes[0]
    found, pending = {source}, [source]
    while pending:
        for user in pending.pop().users:
            if _is_view(user) and user not in found:
                found.add(user)
                pending.append(user)
    return found


def _is_view(node: Node) -> bool:
    """Whether the operator may return memory of its input, by its own schema or by being a reshape."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None or not node.all_input_nodes:
        return False
    returns_alias = any(result.alias_info is not None for result in schema.returns)
    return (returns_alias and not schema.is_mutable) or schema.name in (
        "aten::flatten",
        "aten::reshape",
        "aten::contiguous",
    )


def is_size(node: Node) -> bool:
    """Whether a node's value is a number made of the graph's sizes, not a tensor."""
    import torch

    return node.op == "call_function" and isinstance(node.meta.get("val"), torch.SymInt | int)


def crossing(module: GraphModule) -> dict[Node, set[Node]]:
    """For each operator, the values that exist after it and are still needed later.

    Weights do not cross (each half has its own), nor do sizes (a tail reads the batch size off its input).
    """
    order = {node: index for index, node in enumerate(module.graph.nodes)}
    last = {node: max((order[user] for user in node.users), default=-1) for node in order}
    alive: set[Node] = set()
    found: dict[Node, set[Node]] = {}
    for node, index in order.items():
        if node.op == "placeholder" or (node.op == "call_function" and not is_size(node)):
            alive.add(node)
        alive = {value for value in alive if last[value] > index}
        if node.op == "call_function" and not is_size(node):
            found[node] = set(alive)
    return found
