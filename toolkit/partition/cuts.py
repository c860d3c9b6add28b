"""Cut points: where exactly one tensor crosses, under names that a person knows from the network's code.

Notation: B batch, C x h x w smashed features; MACs are multiply-accumulates for one image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError
from .graph import crossing, to_graph

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from .network import Network

_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Cut:
    """One valid cut point.

    Attributes:
        name: module path of the last layer in the head (`layer2`, `features.8`), or the operator's name.
        aliases: other names of the same point, inner modules first met.
        shape: what crosses, without the batch axis.
        bytes: of what crosses for one image, float32.
        head_macs, tail_macs: for one image.
        head_parameters, tail_parameters: counts of weights.
        node: name of the operator in the exported graph.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    bytes: int
    head_macs: int
    tail_macs: int
    head_parameters: int
    tail_parameters: int
    node: str


def list_cuts(network: Network) -> list[Cut]:
    """List every valid cut point, from the image to the logits."""
    graph = to_graph(network.program)
    macs = _macs_per_node(graph)
    weights = _parameters_per_node(graph)
    batch = _batch(graph)
    total_macs, total_weights = sum(macs.values()), sum(weights.values())
    output = next(node for node in graph.graph.nodes if node.op == "output")
    taken: set[str] = set()
    cuts: list[Cut] = []
    head_macs = head_weights = 0
    values = crossing(graph)
    for node in graph.graph.nodes:
        head_macs += macs.get(node, 0)
        head_weights += weights.get(node, 0)
        if values.get(node) != {node} or output in node.users or not _is_batched(node, batch):
            continue
        names = [name for name in _module_names(node) if name not in taken]
        if not names and len(_paths(node)) > 1:
            continue  # inside a block: a sum before its activation, nothing a person has a name for
        names = names or [node.name]
        taken.update(names)
        shape = tuple(int(size) for size in node.meta["val"].shape[1:])
        count = 1
        for size in shape:
            count *= size
        cuts.append(
            Cut(
                name=names[0],
                aliases=tuple(names[1:]),
                shape=shape,
                bytes=count * _FLOAT32_BYTES,
                head_macs=head_macs,
                tail_macs=total_macs - head_macs,
                head_parameters=head_weights,
                tail_parameters=total_weights - head_weights,
                node=node.name,
            )
        )
    return cuts


def find_cut(network: Network, name: str) -> Cut:
    """Return the cut point of that name.

    Raises:
        InputError: not a cut point; names the nearest valid ones before and after it.
    """
    cuts = list_cuts(network)
    for cut in cuts:
        if name == cut.name or name in cut.aliases:
            return cut
    if not cuts:
        raise InputError(f"{network.source} has no point where exactly one tensor crosses, so it cannot be cut.")
    graph = to_graph(network.program)
    order = {node.name: index for index, node in enumerate(graph.graph.nodes)}
    inside = [order[node.name] for node in graph.graph.nodes if name in _paths(node) or node.name == name]
    if not inside:
        from ..errors import UnknownNameError

        raise UnknownNameError("cut point", name, [cut.name for cut in cuts])
    before = [cut.name for cut in cuts if order[cut.node] < max(inside)][-1:]
    after = [cut.name for cut in cuts if order[cut.node] > max(inside)][:1]
    raise InputError(
        f"More than one tensor crosses after {name!r} (it lies inside a block with a skip or a branch, or is the "
        f"output); the nearest valid cut points are {' and '.join(before + after)}."
    )


def _module_names(node: Node) -> list[str]:
    """Paths of the modules whose output this node is, outermost first."""
    users = [_paths(user) for user in node.users]
    return [path for path in _paths(node) if path and not any(path in inner for inner in users)]


def _paths(node: Node) -> list[str]:
    """Module paths around a node, outermost first; a module that is called again is marked path@1."""
    stack = node.meta.get("nn_module_stack", {})
    return [key.removeprefix("L__self__") for key in stack]


def _image(graph: GraphModule) -> Node:
    image: Node = next(node for node in graph.graph.nodes if node.op == "placeholder")
    return image


def _batch(graph: GraphModule) -> object:
    return _image(graph).meta["val"].shape[0]


def _is_batched(node: Node, batch: object) -> bool:
    import torch

    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dtype == torch.float32
        and value.ndim >= 2
        and str(value.shape[0]) == str(batch)
        and all(isinstance(size, int) for size in value.shape[1:])
    )


def _parameters_per_node(graph: GraphModule) -> dict[Node, int]:
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


def _macs_per_node(graph: GraphModule) -> dict[Node, int]:
    """Multiply-accumulates of each operator for one image, by torch's own flop counter on shapes only."""
    import torch
    from torch._subclasses import FakeTensorMode
    from torch.fx import Interpreter
    from torch.utils.flop_counter import FlopCounterMode

    macs: dict[Node, int] = {}
    counter = FlopCounterMode(display=False)

    class Counting(Interpreter):
        def run_node(self, n: Node) -> object:
            before = counter.get_total_flops()
            result = super().run_node(n)
            macs[n] = (counter.get_total_flops() - before) // 2
            return result

    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), counter:
        Counting(graph).run(torch.empty(1, *_image(graph).meta["val"].shape[1:]))
    return macs
