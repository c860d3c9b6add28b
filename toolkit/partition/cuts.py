"""Cut points: where few tensors cross, under the names that they have in the network's code.

Notation: B batch, C x h x w smashed features; MACs are multiply-accumulates for one image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError, UnknownNameError
from .answers import served_nodes
from .counting import macs_per_node, parameters_per_node
from .crossing import crossing, seen_of_image
from .graph import image_of
from .layouts import Layout, layouts, maps_shape
from .maps import stacked_shape
from .names import is_plumbing, module_names, paths
from .reasons import why_so_few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node

    from .network import Network

_FLOAT32_BYTES = 4
#: the wire carries no more tensors at once
MOST_CROSSING = 4


@dataclass(frozen=True)
class Crosser:
    """One tensor that crosses.

    Attributes:
        node: name of the operator in the exported graph that makes it.
        shape: without the batch axis, as the network has it.
        layout: which axes are what.
    """

    node: str
    shape: tuple[int, ...]
    layout: Layout

    @property
    def maps(self) -> tuple[int, int, int]:
        """The shape [C,h,w] in which it crosses: channels first; tokens stand in a column, a vector at one position."""
        return maps_shape(self.shape, self.layout.name)


@dataclass(frozen=True)
class Cut:
    """One valid cut point.

    Attributes:
        name: module path of the last layer in the head (`layer2`, `blocks.5`), or the operator's name.
        aliases: other names of the same point, inner modules first met.
        shape: [C,h,w] of what crosses, several tensors as one.
        bytes: of all that crosses for one image, float32.
        head_macs, tail_macs: for one image.
        head_parameters, tail_parameters: counts of weights.
        node: name of the operator in the exported graph.
        crossing: every tensor that crosses.
        plain: named after a module that computes something; the others are listed only when asked for.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, int, int]
    bytes: int
    head_macs: int
    tail_macs: int
    head_parameters: int
    tail_parameters: int
    node: str
    crossing: tuple[Crosser, ...]
    plain: bool = True


def known_crossing(count: int) -> int:
    """Return `count`.

    Raises:
        InputError: not 1 to MOST_CROSSING.
    """
    if not 1 <= count <= MOST_CROSSING:
        raise InputError(f"--crossing {count} does not fit; from 1 to {MOST_CROSSING} tensors may cross.")
    return count


def list_cuts(network: Network, *, most: int = 1, operators: bool = False) -> list[Cut]:
    """List the cut points, from the image to the answer.

    Args:
        network: exported, with a free batch size.
        most: offer points where up to this many tensors cross.
        operators: also offer points where no module of the user's ends, such as a reshape between two.
    """
    found = [cut for cut in _all_cuts(network.graph) if len(cut.crossing) <= most]
    return [cut for cut in found if cut.plain or operators]


def find_cut(network: Network, name: str, *, most: int = 1) -> Cut:
    """Return the cut point of that name.

    Raises:
        InputError: not a cut point; names the nearest valid ones before and after it.
    """
    graph = network.graph
    everything = _all_cuts(graph)
    at = next((cut for cut in everything if name == cut.name or name in cut.aliases), None)
    if at is not None and len(at.crossing) <= most:
        return at
    cuts = [cut for cut in everything if len(cut.crossing) <= most and cut.plain]
    if not cuts and at is None:
        raise InputError(f"{network.source} cannot be cut. {' '.join(why_so_few(graph))}")
    order = {node.name: index for index, node in enumerate(graph.graph.nodes)}
    inside = [order[node.name] for node in graph.graph.nodes if name in paths(node) or node.name == name]
    if not inside:
        raise UnknownNameError("cut point", name, [cut.name for cut in cuts])
    before = [cut.name for cut in cuts if order[cut.node] < max(inside)][-1:]
    after = [cut.name for cut in cuts if order[cut.node] > max(inside)][:1]
    nearest = f"the nearest valid cut points are {' and '.join(before + after)}" if before + after else "no cut is near"
    more = ""
    if at is not None:
        shapes = ", ".join("x".join(map(str, one.shape)) for one in at.crossing)
        more = f"; to send all {len(at.crossing)} ({shapes}), give --crossing {len(at.crossing)}"
    raise InputError(
        f"More than one tensor crosses after {name!r} (it lies inside a block with a skip or a branch, or is the "
        f"output); {nearest}{more}."
    )


def explain(network: Network) -> list[str]:
    """Say in sentences why a network offers few cut points, or none."""
    return why_so_few(network.graph)


def _all_cuts(graph: GraphModule) -> list[Cut]:
    """Every point where one to MOST_CROSSING tensors cross, each under names of its own."""
    macs, weights = macs_per_node(graph), parameters_per_node(graph)
    total_macs, total_weights = sum(macs.values()), sum(weights.values())
    batch = str(image_of(graph).meta["val"].shape[0])
    answers, seen, form = set(served_nodes(graph).values()), seen_of_image(graph), layouts(graph)
    values = crossing(graph)
    points: list[tuple[Node, list[Node], int, int]] = []
    head_macs = head_weights = 0
    for node in graph.graph.nodes:
        head_macs += macs.get(node, 0)
        head_weights += weights.get(node, 0)
        alive = values.get(node, [])
        crosses = 0 < len(alive) <= MOST_CROSSING and node in alive
        crosses = crosses and all(_can_cross(value, batch) and form[value].name for value in alive)
        if crosses and node in seen and head_macs > 0 and not answers.issuperset(alive):
            points.append((node, alive, head_macs, head_weights))
    cuts: list[Cut] = []
    for node, names, plain in _named(points):
        alive, head_macs, head_weights = next(point[1:] for point in points if point[0] is node)
        crossers = tuple(Crosser(one.name, _shape(one), form[one]) for one in alive)
        cuts.append(
            Cut(
                name=names[0],
                aliases=tuple(names[1:]),
                shape=stacked_shape([one.maps for one in crossers]),
                bytes=sum(math.prod(one.shape) for one in crossers) * _FLOAT32_BYTES,
                head_macs=head_macs,
                tail_macs=total_macs - head_macs,
                head_parameters=head_weights,
                tail_parameters=total_weights - head_weights,
                node=node.name,
                crossing=crossers,
                plain=plain,
            )
        )
    return cuts


def _named(points: Sequence[tuple[Node, list[Node], int, int]]) -> list[tuple[Node, list[str], bool]]:
    """Give each point its names; of several that end one module, that where least crosses, then the first."""
    best: dict[str, Node] = {}
    for node, _, _, _ in sorted(points, key=lambda point: len(point[1])):
        for name in module_names(node):
            best.setdefault(name, node)
    found: list[tuple[Node, list[str], bool]] = []
    for node, alive, _, _ in points:
        names = [name for name in module_names(node) if best[name] is node]
        if names:
            found.append((node, names, True))
        elif len(paths(node)) <= 1 and len(alive) == 1:
            found.append((node, [node.name], not is_plumbing(node)))
        # else: inside a block, such as a sum before its activation: the network's code has no name for it
    return found


def _shape(node: Node) -> tuple[int, ...]:
    return tuple(int(size) for size in node.meta["val"].shape[1:])


def _can_cross(node: Node, batch: str) -> bool:
    import torch

    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and value.ndim >= 2
        and str(value.shape[0]) == batch
        and all(isinstance(size, int) for size in value.shape[1:])
    )
