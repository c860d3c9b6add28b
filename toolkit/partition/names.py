"""Names from the network's code: which module's output a value is, and what is mere plumbing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import Node

#: the attribute that holds a network whose input was adapted; it is no part of any name
INNER = "pripro_inner"
#: operators that compute nothing: no name of a cut point unless a module of the user's ends there
_PLUMBING = frozenset(
    {
        "alias",
        "cat",
        "chunk",
        "clone",
        "concat",
        "contiguous",
        "copy",
        "detach",
        "detach_",
        "dropout",
        "expand",
        "expand_as",
        "feature_dropout",
        "flatten",
        "lift_fresh_copy",
        "movedim",
        "narrow",
        "permute",
        "reshape",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "to",
        "_to_copy",
        "transpose",
        "type_as",
        "unbind",
        "unflatten",
        "unsqueeze",
        "view",
        "_unsafe_view",
        "_assert_tensor_metadata",
    }
)


def module_names(node: Node) -> list[str]:
    """Paths of the modules whose output this node is, outermost first."""
    users = [paths(user) for user in node.users]
    return [path for path in paths(node) if path and not any(path in inner for inner in users)]


def paths(node: Node) -> list[str]:
    """Module paths around a node, outermost first; a module that is called again is marked path@1."""
    stack = [key.removeprefix("L__self__").lstrip(".") for key in node.meta.get("nn_module_stack", {})]
    if not any(stack):
        stack += _owner(node)
    return [path.removeprefix(INNER).lstrip(".") for path in stack]


def _owner(node: Node) -> list[str]:
    """The module whose weights an operator reads: all that is known inside an autocast region."""
    for source in node.all_input_nodes:
        held = source if source.op == "get_attr" else next(iter(source.all_input_nodes), source)
        if held.op == "get_attr" and (source is held or is_plumbing(source)):
            return [str(held.target).rpartition(".")[0]]
    return []


def operator(node: Node) -> str:
    """The operator's plain name, such as "conv2d"."""
    return str(node.target).removeprefix("aten.").split(".")[0].strip("<> ").replace("built-in function ", "")


def is_plumbing(node: Node) -> bool:
    """Whether the operator only moves, copies or casts values."""
    return operator(node) in _PLUMBING or node.name.startswith("getitem")


def spoken(node: Node) -> str:
    """What to call a value in a sentence: the module that made it, else the operator, or "the image"."""
    if node.op == "placeholder":
        return "the image"
    named = [path for path in paths(node) if path]
    return (named[-1] if named else node.name) if module_names(node) or named else node.name
