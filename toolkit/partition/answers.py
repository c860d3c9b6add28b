"""What a network answers with: a named set of tensors, from whatever structure it returns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import NetworkError
from .crossing import seen_of_image
from .graph import image_of

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

#: the name of a network's only output
ONLY = "logits"


@dataclass(frozen=True)
class Answer:
    """One output of a network.

    Attributes:
        name: its key, attribute or place in what the network returns; `logits` where it is the only one.
        shape: without the batch axis.
        dtype: torch's, without "torch."; the tail hands everything out as float32.
        place: which leaf of what the network returns.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    place: int


def answers(program: ExportedProgram, graph: GraphModule, source: str) -> tuple[Answer, ...]:
    """List what a tail serves: every tensor that depends on the photo. What is the same for every photo is left out.

    Raises:
        NetworkError: there is none, or one does not have the batch on its first axis.
    """
    batch = str(image_of(graph).meta["val"].shape[0])
    served = served_nodes(graph)
    names = _names(program, len(_leaves(graph)))
    found = []
    for place, node in served.items():
        value = node.meta["val"]
        sizes = [str(size) for size in value.shape]
        if not sizes or sizes[0] != batch or not all(isinstance(size, int) for size in value.shape[1:]):
            raise NetworkError(
                f"{source} returns {names[place]} of the shape [{', '.join(sizes)}], which is not one answer per "
                "photo; "
                "return tensors with the batch on their first axis and fixed sizes behind it (leave losses, "
                "lists of boxes after suppression and the like to the code that calls the network)."
            )
        name = ONLY if len(served) == 1 else names[place]
        found.append(Answer(name, tuple(map(int, value.shape[1:])), str(value.dtype).removeprefix("torch."), place))
    if not found:
        raise NetworkError(f"{source} returns no tensor that depends on the photo; return the network's answer.")
    return tuple(found)


def served_nodes(graph: GraphModule) -> dict[int, Node]:
    """Place of a leaf -> its value, for each tensor that depends on the photo; the same tensor counts once."""
    import torch
    from torch.fx import Node

    seen = seen_of_image(graph)
    found: dict[int, Node] = {}
    for place, value in enumerate(_leaves(graph)):
        known = value.meta.get("val") if isinstance(value, Node) else None
        if value in seen and isinstance(known, torch.Tensor) and value not in found.values():
            found[place] = value
    return found


def _leaves(graph: GraphModule) -> list[Any]:
    output = next(node for node in graph.graph.nodes if node.op == "output")
    (found,) = output.args
    return list(found) if isinstance(found, tuple | list) else [found]


def _names(program: ExportedProgram, count: int) -> list[str]:
    """A name for each leaf: letters, digits and _, all different."""
    from torch.utils import _pytree as pytree

    spec = program.call_spec.out_spec
    paths: list[tuple[Any, ...]]
    try:
        paths = [path for path, _ in pytree.tree_flatten_with_path(pytree.tree_unflatten(list(range(count)), spec))[0]]
    except Exception:  # an output class of the user's that is not registered here
        paths = [(place,) for place in range(count)]
    names: list[str] = []
    for place, path in enumerate(paths):
        parts = [str(getattr(part, "key", getattr(part, "idx", getattr(part, "name", part)))) for part in path]
        name = re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(parts)).strip("_")
        if not name or not name[0].isalpha():
            name = f"output_{name or place}"
        names.append(name if name not in names else f"{name}_{place}")
    return names
