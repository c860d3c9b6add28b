"""Cut a network in two: head on the phone, tail in the cloud, together the network to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.fx import Graph, GraphModule, Node

from ..bundle import Bundle, create, creating, now_utc, sha256_of
from ..errors import InputError, NetworkError
from ..records.bundle import Manifest, Model, Preprocess, TensorSpec
from ..records.bundle import Split as SplitRecord
from ..records.tools import tool_versions
from .cuts import Cut, find_cut
from .graph import is_size, to_graph
from .network import Network
from .program_file import load_program, save_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn


@dataclass(frozen=True)
class Split:
    """A network in two halves, in eval mode, frozen.

    Attributes:
        head: image [B,C,H,W] -> smashed features [B,...].
        tail: smashed features [B,...] -> logits [B,K], any B.
        cut: where.
        image: (C, H, W).
        classes: K.
    """

    head: nn.Module
    tail: nn.Module
    cut: Cut
    image: tuple[int, int, int]
    classes: int


def split(network: Network, cut_name: str, *, check: bool = True) -> Split:
    """Split a network at a named cut point and check that nothing changed.

    Args:
        network: exported, with a free batch size.
        cut_name: a name or an alias of a cut point.
        check: compare the halves with the whole on random images (not needed when a bundle is read again).

    Raises:
        InputError: no such cut point.
        NetworkError: the halves together do not give the network's own numbers.
    """
    cut = find_cut(network, cut_name)
    graph = to_graph(network.program)
    at = next(node for node in graph.graph.nodes if node.name == cut.node)
    head, tail = _head(graph, at), _tail(graph, at)
    for half in (head, tail):
        half.requires_grad_(False)
    result = Split(head, tail, cut, network.image, network.classes)
    if check:
        _check(network, result)
    return result


def whole(network: Network) -> nn.Module:
    """Return the network as one plain module, image [B,C,H,W] -> logits [B,K]: a head that leaves no tail."""
    graph = to_graph(network.program)
    output = next(node for node in graph.graph.nodes if node.op == "output")
    (logits,) = output.args[0]
    return _head(graph, logits).requires_grad_(False)


def _head(graph: GraphModule, at: Node) -> GraphModule:
    half = Graph()
    copies: dict[Node, Node] = {}
    for node in graph.graph.nodes:
        copies[node] = half.node_copy(node, lambda old: copies[old])
        if node is at:
            break
    half.output(copies[at])
    return _module(graph, half, "Head")


def _tail(graph: GraphModule, at: Node) -> GraphModule:
    half = Graph()
    copies: dict[Node, Node] = {at: half.placeholder("smashed")}
    copies[at].meta = dict(at.meta)
    batch: Node | None = None
    past = False
    for node in graph.graph.nodes:
        if node.op == "placeholder" or node is at:
            past = past or node is at
            continue
        if node.op == "output":
            (logits,) = node.args[0]  # exported graphs return a tuple
            half.output(copies[logits])
        elif node.op == "get_attr":
            copies[node] = half.node_copy(node)
        elif is_size(node) and not past:
            # every free size is the batch size, and the features carry it on their first axis
            if all(source in copies for source in node.all_input_nodes) and not _reads_tensor(node):
                copies[node] = half.node_copy(node, lambda old: copies[old])
            else:
                batch = batch or half.call_function(torch.ops.aten.sym_size.int, (copies[at], 0))
                copies[node] = batch
        elif past:
            copies[node] = half.node_copy(node, lambda old: copies[old])
    return _module(graph, half, "Tail")


def _reads_tensor(node: Node) -> bool:
    return any(isinstance(source.meta.get("val"), torch.Tensor) for source in node.all_input_nodes)


def _module(root: GraphModule, graph: Graph, name: str) -> GraphModule:
    graph.eliminate_dead_code()
    graph.lint()
    return GraphModule(root, graph, name)


def _check(network: Network, halves: Split) -> None:
    """Compare with the exported network on random images, batch 1 and 3, to the bit."""
    whole = network.program.module(check_guards=False)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for batch in (1, 3):
            image = torch.randn(batch, *network.image, generator=generator)
            if not torch.equal(halves.tail(halves.head(image)), whole(image)):
                raise NetworkError(
                    f"{network.source} cut at {halves.cut.name} does not give the network's own numbers, which means "
                    "that it draws random numbers or keeps state between calls; remove that in eval mode."
                )


def partition(
    network: Network,
    cut_name: str,
    out: Path,
    *,
    preprocess: Preprocess,
    labels: list[str] | None = None,
    weights: Path | None = None,
    fingerprint: str = "",
) -> Bundle:
    """Split a network and start a bundle with it. An older bundle in `out` is replaced as a whole.

    Raises:
        InputError: no such cut point, or labels that do not fit the classes.
        NetworkError: the network cannot be split there.
        BundleError: `out` holds something else or cannot be written.
    """
    labels = labels or [str(index) for index in range(network.classes)]
    if len(labels) != network.classes:
        raise InputError(f"There are {len(labels)} labels for {network.classes} classes; give one per class, in order.")
    halves = split(network, cut_name)
    cut = halves.cut
    with creating(out) as stage:
        made = stage.scratch("model")
        save_program(network.program, made / "program.pt2")
        (program,) = stage.keep(made, "model")
        image = TensorSpec(name="image", dtype="float32", shape=[-1, *network.image])
        return create(
            out,
            Manifest(
                bundle_id="0" * 64,
                created_utc=now_utc(),
                tools=tool_versions("torch"),
                model=Model(
                    source=network.source,
                    parameters=cut.head_parameters + cut.tail_parameters,
                    weights_sha256=sha256_of(weights) if weights else None,
                    program=program,
                ),
                preprocess=preprocess,
                labels=labels,
                split=SplitRecord(
                    cut=cut.name,
                    image=image,
                    crossing=[smashed_spec(cut.shape)],
                    outputs=[TensorSpec(name="logits", dtype="float32", shape=[-1, network.classes], layout="NC")],
                    head_macs=cut.head_macs,
                    tail_macs=cut.tail_macs,
                    head_parameters=cut.head_parameters,
                    tail_parameters=cut.tail_parameters,
                ),
                stages={"partition": fingerprint},
            ),
        )


def smashed_spec(shape: Sequence[int]) -> TensorSpec:
    """Describe smashed features of that shape (without batch) as float32."""
    return TensorSpec(name="smashed", dtype="float32", shape=[-1, *shape], layout="NCHW" if len(shape) == 3 else "NC")


def load_split(bundle: Bundle) -> Split:
    """Split a bundle's network again, as its manifest says; the protection is not in it."""
    manifest = bundle.manifest
    program = load_program(bundle.path(manifest.model.program))
    channels, height, width = manifest.split.image.shape[1:]
    network = Network(manifest.model.source, program, (channels, height, width), len(manifest.labels))
    return split(network, manifest.split.cut, check=False)
