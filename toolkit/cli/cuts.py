"""`pripro cuts`: every valid cut point of a network."""

from __future__ import annotations

from dataclasses import asdict

from ._console import next_command, say, show_json, show_table, size
from ._options import ClassesOption, InputOption, JsonOption, NetworkArgument


def command(
    network: NetworkArgument,
    image: InputOption = "3x224x224",
    classes: ClassesOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every valid cut point: what crosses there, and how the work divides."""
    from ..partition.cuts import list_cuts
    from ..partition.network import load_network, parse_shape

    say(f"exporting {network} ...")
    loaded = load_network(network, parse_shape(image), classes=classes)
    cuts = list_cuts(loaded)
    if as_json:
        show_json({"network": network, "input": list(loaded.image), "cuts": [asdict(cut) for cut in cuts]})
    else:
        rows = [
            (
                cut.name,
                "x".join(map(str, cut.shape)),
                size(cut.bytes),
                f"{cut.head_macs / 1e6:.1f}",
                f"{cut.tail_macs / 1e6:.1f}",
                f"{cut.head_parameters / 1e6:.3f}",
                f"{cut.tail_parameters / 1e6:.3f}",
            )
            for cut in cuts
        ]
        columns = ("cut", ">crosses", ">float32", ">head MMACs", ">tail MMACs", ">head Mparams", ">tail Mparams")
        show_table(columns, rows)
    if cuts:
        chosen = cuts[len(cuts) // 2].name
        next_command(f"pripro partition {network} --input {image} --cut {chosen} --weights FILE -o BUNDLE")
