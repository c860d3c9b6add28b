"""Cut a network in two: head on the phone, tail in the cloud, together the network to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from ..bundle import Bundle
from ..errors import NetworkError
from ..tasks._guess import task_of
from ..tasks.base import Task
from ..tasks.classify import Classify
from .answers import served_nodes
from .cuts import MOST_CROSSING, Cut, find_cut
from .halves import head_of, tail_of, whole_of
from .network import Network
from .program_file import load_program

if TYPE_CHECKING:
    from torch import nn

    from ..bundle import Bundle


@dataclass(frozen=True)
class Split:
    """A network in two halves, in eval mode, frozen.

    Attributes:
        head: image [B,C,H,W] -> smashed features [B,C,h,w].
        tail: smashed features [B,C,h,w] -> answers [B,K], any B.
        cut: where.
        image: (C, H, W).
        classes: of the (first) answer, 0 where it has none.
        task: what the answers are for.
    """

    head: nn.Module
    tail: nn.Module
    cut: Cut
    image: tuple[int, int, int]
    classes: int
    task: Task = field(default_factory=Classify)


def split(network: Network, cut_name: str, *, crossing: int = 1, check: bool = True) -> Split:
    """Split a network at a named cut point and check that nothing changed.

    Args:
        network: exported, with a free batch size.
        cut_name: a name or an alias of a cut point.
        crossing: how many tensors may cross there.
        check: compare the halves with the whole on random images (not needed when a bundle is read again).

    Raises:
        InputError: no such cut point.
        NetworkError: the halves together do not give the network's own numbers.
    """
    cut = find_cut(network, cut_name, most=crossing)
    graph = network.graph
    nodes = {node.name: node for node in graph.graph.nodes}
    values = [nodes[one.node] for one in cut.crossing]
    layouts = [one.layout.name for one in cut.crossing]
    head = head_of(graph, values, layouts)
    tail = tail_of(graph, values, layouts, list(served_nodes(graph).values()))
    for half in (head, tail):
        half.requires_grad_(False)
    result = Split(head, tail, cut, network.image, network.classes)
    if check:
        _check(network, result)
    return result


def whole(network: Network) -> nn.Module:
    """Return the network as one plain module, image [B,C,H,W] -> answer: a head that leaves no tail."""
    return whole_of(network.graph).requires_grad_(False)


def _check(network: Network, halves: Split) -> None:
    """Compare with the exported network on random images, batch 1 and 3, to the bit.

    Raises:
        NetworkError: it is not the same network.
    """
    reference = network.program.module(check_guards=False)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for batch in (1, 3):
            image = torch.randn(batch, *network.image, generator=generator)
            if not torch.equal(halves.tail(halves.head(image)), network.flat(reference(image))):
                raise NetworkError(
                    f"{network.source} cut at {halves.cut.name} does not give the network's own numbers, which means "
                    "that it draws random numbers, keeps state between calls, or gives NaN; correct that in eval mode."
                )


def load_split(bundle: Bundle) -> Split:
    """Split a bundle's network again, as its manifest says; the protection is not in it."""
    manifest = bundle.manifest
    program = load_program(bundle.checked(manifest.model.program))
    channels, height, width = manifest.split.image.shape[1:]
    network = Network(manifest.model.source, program, (channels, height, width), len(manifest.labels))
    halves = split(network, manifest.split.cut, crossing=MOST_CROSSING, check=False)
    return replace(halves, task=task_of(manifest))
