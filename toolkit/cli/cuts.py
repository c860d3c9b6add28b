"""`pripro cuts`: every valid cut point of a network."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ._console import next_command, say, show_json, show_table, size
from ._options import ClassesOption, InputOption, JsonOption, NetworkArgument

#: fewer cut points than this are explained
_FEW = 3


def command(
    network: NetworkArgument,
    image: InputOption = "3x224x224",
    classes: ClassesOption = None,
    crossing: Annotated[int, typer.Option(help="List points where up to this many tensors cross, 1 to 4.")] = 1,
    operators: Annotated[
        bool, typer.Option("--operators", help="Also list reshapes and the like, where none of your modules ends.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List every valid cut point: what crosses there, and how the work divides."""
    from ..partition.cuts import explain, known_crossing, list_cuts
    from ..partition.network import load_network, parse_shape

    most = known_crossing(crossing)
    say(f"exporting {network} ...")
    loaded = load_network(network, parse_shape(image), classes=classes)
    cuts = list_cuts(loaded, most=most, operators=operators)
    if as_json:
        show_json({"network": network, "input": list(loaded.image), "cuts": [asdict(cut) for cut in cuts]})
    else:
        rows = [
            (
                cut.name,
                " + ".join("x".join(map(str, one.shape)) for one in cut.crossing),
                "/".join(sorted({one.layout.name or "?" for one in cut.crossing})),
                size(cut.bytes),
                f"{cut.head_macs / 1e6:.1f}",
                f"{cut.tail_macs / 1e6:.1f}",
                f"{cut.head_parameters / 1e6:.3f}",
                f"{cut.tail_parameters / 1e6:.3f}",
            )
            for cut in cuts
        ]
        columns = (
            "cut",
            ">crosses",
            "layout",
            ">float32",
            ">head MMACs",
            ">tail MMACs",
            ">head Mparams",
            ">tail Mparams",
        )
        show_table(columns, rows)
    if len(cuts) < _FEW:
        for sentence in explain(loaded):
            say(f"few cut points: {sentence}" if cuts else f"no cut point: {sentence}")
    if cuts:
        chosen = cuts[len(cuts) // 2].name
        next_command(f"pripro partition {network} --input {image} --cut {chosen} --weights FILE -o BUNDLE")
