"""Cut a network in two: head on the phone, tail in the cloud, together the network to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..bundle import Bundle, create, creating, now_utc, sha256_of
from ..errors import InputError, NetworkError
from ..records.bundle import DataRef, Manifest, Model, Preprocess, TensorSpec
from ..records.bundle import Split as SplitRecord
from ..records.tools import tool_versions
from .answers import served_nodes
from .cuts import Cut, find_cut
from .halves import head_of, joined, tail_of, whole_of
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
        head: image [B,C,H,W] -> smashed features [B,...]; a tuple of them where several tensors cross.
        tail: smashed features [B,...] -> answer [B,...], any B; a tuple where the network gives several.
        cut: where.
        image: (C, H, W).
        classes: K.
    """

    head: nn.Module
    tail: nn.Module
    cut: Cut
    image: tuple[int, int, int]
    classes: int


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
    head, tail = head_of(graph, values), tail_of(graph, values, list(served_nodes(graph).values()))
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
    """Compare with the exported network on random images, batch 1 and 3, to the bit; and a photo with its neighbours.

    Raises:
        NetworkError: it is not the same network, or a photo's answer depends on what else is in the batch.
    """
    reference, run = network.program.module(check_guards=False), joined(halves.head, halves.tail)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for batch in (1, 3):
            image = torch.randn(batch, *network.image, generator=generator)
            expected = network.answers(reference(image))
            got = run(image)
            if not all(_same(one, other) for one, other in zip(got, expected, strict=True)):
                raise NetworkError(
                    f"{network.source} cut at {halves.cut.name} does not give the network's own numbers, which means "
                    "that it draws random numbers, keeps state between calls, or gives NaN; mend that in eval mode."
                )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one, other.to(torch.float32))


def partition(
    network: Network,
    cut_name: str,
    out: Path,
    *,
    preprocess: Preprocess,
    labels: list[str] | None = None,
    weights: Path | None = None,
    fingerprint: str = "",
    accuracy: float | None = None,
    data: DataRef | None = None,
) -> Bundle:
    """Split a network and start a bundle with it. An older bundle in `out` is replaced as a whole.

    `accuracy` is the network's own, a share, on the test part of `data`.

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
                    accuracy=accuracy,
                    data=data,
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
