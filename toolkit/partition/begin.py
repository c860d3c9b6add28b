"""Split a network and write down what came of it: the first manifest of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bundle import MANIFEST, Bundle, create, creating, now_utc, refuse_foreign, remove_reports, sha256_of
from ..errors import BundleError, InputError
from ..records.bundle import DataRef, Manifest, Model, Preprocess, Task, TensorSpec
from ..records.bundle import Split as SplitRecord
from ..records.tools import tool_versions
from ..tasks._guess import AUTO, choose, task_class
from .facts import facts_of
from .program_file import save_program
from .split import split

if TYPE_CHECKING:
    from pathlib import Path

    from .cuts import Cut
    from .network import Network


def refuse_existing(out: Path, *, force: bool) -> None:
    """Refuse to erase a bundle without being asked to, and to erase anything else at all.

    Raises:
        BundleError: there is a bundle already, or something that is not a bundle.
    """
    refuse_foreign(out)
    if (out / MANIFEST).is_file() and not force:
        raise BundleError(
            f"{out} is a bundle already, and cutting again would erase its protection, heads and tail; "
            "name another folder with -o, or replace it with --force."
        )


def partition(
    network: Network,
    cut_name: str,
    out: Path,
    *,
    preprocess: Preprocess,
    labels: list[str] | None = None,
    weights: Path | None = None,
    task: str = AUTO,
    crossing: int = 1,
    force: bool = False,
    fingerprint: str = "",
    accuracy: float | None = None,
    data: DataRef | None = None,
) -> Bundle:
    """Split a network and start a bundle with it. With `force` an older bundle in `out` is replaced as a whole.

    `accuracy` is the network's own, a share, on the test part of `data`.

    Raises:
        InputError: no such cut point or task, or labels that do not fit the classes.
        NetworkError: the network cannot be split there.
        BundleError: `out` holds something else or cannot be written.
    """
    refuse_existing(out, force=force)
    chosen = choose(task, facts_of(network, labelled=labels is not None))
    labels = _labels(labels, chosen, network)
    halves = split(network, cut_name, crossing=crossing)
    cut = halves.cut
    with creating(out) as stage:
        made = stage.scratch("model")
        save_program(network.program, made / "program.pt2")
        (program,) = stage.keep(made, "model")
        image = TensorSpec(name="image", dtype="float32", shape=[-1, *network.image])
        bundle = create(
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
                task=chosen,
                preprocess=preprocess,
                labels=labels,
                split=SplitRecord(
                    cut=cut.name,
                    image=image,
                    crossing=[crossing_spec(cut)],
                    outputs=[output_spec(one.name, one.shape) for one in network.outputs],
                    head_macs=cut.head_macs,
                    tail_macs=cut.tail_macs,
                    head_parameters=cut.head_parameters,
                    tail_parameters=cut.tail_parameters,
                ),
                stages={"partition": fingerprint},
            ),
        )
        remove_reports(out)
    return bundle


def _labels(labels: list[str] | None, task: Task, network: Network) -> list[str]:
    """One name per class: the user's, or numbers; none where the answer has no classes."""
    if task_class(task.name).has_classes:
        labels = labels or [str(index) for index in range(network.classes)]
        if len(labels) != network.classes:
            raise InputError(
                f"There are {len(labels)} labels for {network.classes} classes; give one per class, in order."
            )
        return labels
    shape = network.outputs[0].shape
    if labels is not None and len(labels) != shape[0]:
        raise InputError(f"There are {len(labels)} labels for an answer of {shape[0]} channels; give one per channel.")
    return labels or []


def crossing_spec(cut: Cut) -> TensorSpec:
    """Describe what crosses, float32 maps; of tokens, where they lie on the image."""
    layout = cut.crossing[0].layout
    lies = len(cut.crossing) == 1 and layout.grid is not None
    return TensorSpec(
        name="smashed",
        dtype="float32",
        shape=[-1, *cut.shape],
        layout="NCHW",
        grid=list(layout.grid) if lies and layout.grid is not None else None,
        prefix_tokens=layout.prefix_tokens if lies else 0,
    )


def output_spec(name: str, shape: tuple[int, ...]) -> TensorSpec:
    """Describe an answer, float32; its layout by its axes alone."""
    layout = {0: "N", 1: "NC", 2: "NTC", 3: "NCHW"}.get(len(shape), "NCHW")
    return TensorSpec(name=name, dtype="float32", shape=[-1, *shape], layout=layout)  # type: ignore[arg-type]
