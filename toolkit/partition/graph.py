"""The exported graph in the form that cutting needs: plain operators, one value per node, no state.

`to_graph` does, in this order: regions under no_grad or autocast are written out as plain operators; in-place operators
become their plain twins; writes into buffers are dropped; tensors that need only a value's shape no longer read it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..errors import NetworkError

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

#: made of another tensor's shape only: such a tensor need not cross
_LIKE = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")


def to_graph(program: ExportedProgram) -> GraphModule:
    """Return the program as a module whose graph is purely functional.

    In-place operators (relu_ and the like) become their plain twins: the values stay the same to the bit,
    and a tail does not write into the features that it was handed. Where an operator writes through a view
    that is read again later, torch's own functionalisation does it instead; it also writes out what stands under
    no_grad (nothing changes) and under autocast (the casts become operators).

    Raises:
        NetworkError: the network's answer depends on what it remembers of earlier calls.
    """
    module = program.module(check_guards=False)
    plain = not any(_is_region(node) for node in module.graph.nodes)
    for node in list(module.graph.nodes):
        if plain and _is_in_place(node) and not _writes_buffer(node):
            plain = _make_functional(module, node)
    if not plain:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            module = program.run_decompositions({}).module(check_guards=False)
    _forget_state(module)
    _fix_shapes(module)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def image_of(module: GraphModule) -> Node:
    """The one input."""
    image: Node = next(node for node in module.graph.nodes if node.op == "placeholder")
    return image


def _is_region(node: Node) -> bool:
    return node.op == "call_function" and "higher_order" in str(getattr(node.target, "namespace", node.target))


def _is_in_place(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and schema.is_mutable


def _writes_buffer(node: Node) -> bool:
    return bool(node.all_input_nodes) and node.all_input_nodes[0].op == "get_attr"


def _forget_state(module: GraphModule) -> None:
    """Drop what is written into buffers: a phone and a server each see other images, so nothing may depend on it.

    Raises:
        NetworkError: the answer reads what was written.
    """
    for node in [node for node in module.graph.nodes if _is_in_place(node) and _writes_buffer(node)]:
        buffer = node.all_input_nodes[0]
        twin = None if "copy_" in str(node.target) else _twin(node)
        if twin is not None:  # self.calls += 1: what is read of it later is this value
            node.target = twin
            written = node
        else:  # the exporter's own copy_ of a new value into the buffer
            written = node.all_input_nodes[-1]
            node.replace_all_uses_with(written)
            module.graph.erase_node(node)
        if _reaches_answer(written):
            raise NetworkError(
                f"The network's answer depends on its buffer {buffer.target}, which every call changes"
                f"{where(written)}; leave that out in eval mode (if self.training: ...)."
            )


def _reaches_answer(node: Node) -> bool:
    pending, seen = [node], set()
    while pending:
        here = pending.pop()
        if here.op == "output":
            return True
        if here in seen or _is_in_place(here):
            continue
        seen.add(here)
        pending += here.users
    return False


def _fix_shapes(module: GraphModule) -> None:
    """Rewrite zeros_like(x) and its kind as a tensor of that shape, which does not need x."""
    import torch

    full = torch.ops.aten.full.default
    for node in list(module.graph.nodes):
        name = str(node.target).split(".")[1] if str(node.target).startswith("aten.") else ""
        value = node.meta.get("val")
        if node.op != "call_function" or name not in _LIKE or not isinstance(value, torch.Tensor):
            continue
        amount = {"zeros": 0, "ones": 1}.get(name.removesuffix("_like").removeprefix("new_"))
        if amount is None:
            amount = node.args[-1]
        with module.graph.inserting_before(node):
            sizes = [
                size
                if isinstance(size, int)
                else module.graph.call_function(torch.ops.aten.sym_size.int, (image_of(module), 0))
                for size in value.shape
            ]
            if any(not isinstance(size, int) and str(size) != _batch_of(module) for size in value.shape):
                continue
            made = module.graph.call_function(full, (sizes, amount), {"dtype": value.dtype})
        for size in sizes:
            if not isinstance(size, int):
                size.meta["val"] = image_of(module).meta["val"].shape[0]
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        module.graph.erase_node(node)


def _batch_of(module: GraphModule) -> str:
    return str(image_of(module).meta["val"].shape[0])


def _make_functional(module: GraphModule, node: Node) -> bool:
    """Replace one in-place operator by its plain twin; False where that would not be the same."""
    target, twin = node.all_input_nodes[0], _twin(node)
    if twin is None or target is not node.args[0]:
        return False
    order = {other: index for index, other in enumerate(module.graph.nodes)}
    for alias in _aliases(target):
        if alias is not target and any(order[user] > order[node] for user in alias.users):
            return False
    node.target = twin
    target.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node and order[user] > order[node])
    return True


def _twin(node: Node) -> torch._ops.OpOverload | None:
    """The operator that computes the same without writing (add for add_), or None."""
    import torch

    operator = node.target
    if not isinstance(operator, torch._ops.OpOverload):
        return None
    name = str(operator.overloadpacket).rpartition(".")[2]
    if not name.endswith("_"):
        return None
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    twin: torch._ops.OpOverload | None = getattr(packet, operator._overloadname, None)
    return twin


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


def where(node: Node) -> str:
    """Say where in the user's code a node comes from, such as " (model.py, line 12: self.n += 1)"; empty if unknown."""
    lines = [line.strip() for line in str(node.stack_trace or "").splitlines() if line.strip()]
    places = [index for index, line in enumerate(lines) if line.startswith("File ") and "/torch/" not in line]
    if not places:
        return ""
    parts = lines[places[-1]].removeprefix("File ").split(", ")
    code = lines[places[-1] + 1] if places[-1] + 1 < len(lines) else ""
    file = parts[0].strip('"').replace("\\", "/").rpartition("/")[2]
    line = next((part for part in parts if part.startswith("line ")), "")
    return f" ({file}, {line}{': ' + code if code and not code.startswith('File ') else ''})"
