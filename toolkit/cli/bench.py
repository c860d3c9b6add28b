"""`pripro bench`: enter a protection method, or a network, into the privacy benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from ._console import next_command, say, show_json, show_table
from ._options import JsonOption, names, numbers, one_of, refuse_beside, whole_numbers
from ._progress import share_bar


def command(
    network: Annotated[
        str | None, typer.Argument(metavar="[NET]", help="A name, package.module:factory, or a .pt2 file.")
    ] = None,
    cut: Annotated[str, typer.Option(help="Cut points, separated by commas.")] = "",
    weights: Annotated[Path | None, typer.Option(help="Trained weights.", show_default=False)] = None,
    data: Annotated[str, typer.Option(help="Data set, such as folder:DIR.")] = "digits",
    image: Annotated[str, typer.Option("--input", help="Channels x height x width of the network's input.")] = "",
    mean: Annotated[str | None, typer.Option(help="Per channel; default: ImageNet's, or 0.5 for grey.")] = None,
    std: Annotated[str | None, typer.Option(help="Per channel; default: ImageNet's, or 0.5 for grey.")] = None,
    method: Annotated[str, typer.Option(help="Methods of this project.")] = "pripro,gaussian",
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="module:Class, a Protection of yours. May be given several times."),
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="As for pripro evaluate; default: slant for digits, else brightness.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Each is a cell of its own.")] = "0",
    effort: Annotated[str, typer.Option(help="quick: a first look; standard: what the table needs.")] = "standard",
    epochs: Annotated[int, typer.Option(min=1, help="Training epochs for every method.")] = 16,
    train: Annotated[
        str, typer.Option(help="For every method: injector, waist, or all (head and tail too), as for protect.")
    ] = "injector",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; finished cells are reused.")] = Path(
        "build/bench"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time.")] = 1,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Continue even if the network's accuracy on the data is near chance.")
    ] = False,
    table: Annotated[
        list[Path] | None, typer.Option(help="Make the table from these folders of results, without running anything.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the privacy benchmark under its fixed protocol; a finished cell is a file and is never computed again."""
    from ..datasets._preprocess import preprocess_for
    from ..errors import InputError
    from ..evaluate import bench
    from ..evaluate.sweep import run_sweep
    from ..partition.network import parse_shape
    from ..protect.settings import Train
    from ..records.settings import MOST_SEED

    if table:
        refuse_beside("--table", cut=cut, weights=weights, input=image, plugin=plugin, attribute=attribute)
        _show(bench.table(bench.read_results(table)), as_json=as_json)
        return
    if network is None or not cut or not image:
        raise InputError(
            "Name a network, --cut and --input, such as: pripro bench resnet18 --cut layer2 --input 3x32x32."
        )
    entry = bench.Entry(
        network=network,
        weights=None if weights is None else str(weights),
        cuts=tuple(names(cut, "--cut")),
        preprocess=preprocess_for(parse_shape(image), numbers(mean, "--mean"), numbers(std, "--std")),
        data=data,
        methods=(*(names(method, "--method") if method or not plugin else ()), *(plugin or ())),
        attributes=tuple(attribute or (("slant" if data == "digits" else "brightness"),)),
        seeds=tuple(whole_numbers(seeds, "--seeds", 0, MOST_SEED)),
        effort=effort,
        epochs=epochs,
        train=cast("Train", one_of("--train", train, Train)),
        anyway=anyway,
    )
    with share_bar("bench") as bar:
        results = run_sweep(bench.sweep_of(entry), out, jobs=jobs, progress=bar)
    _show(bench.table(results), as_json=as_json)
    say(f"results: {out / 'cells'}, protocol {bench.PROTOCOL}")
    next_command(f"pripro bench --table {out} --json > table.json")


def _show(rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        show_json({"rows": rows})
        return
    columns = [
        "network", "cut", "method", "train", ">seed", "effort", ">PA", ">bytes", ">PI", "strongest", ">PI picture",
        ">PI attribute", ">SSIM",
    ]  # fmt: skip
    keys = (
        "network", "cut", "method", "train", "seed", "effort", "PA", "bytes", "PI", "strongest", "PI_picture",
        "PI_attribute", "SSIM",
    )  # fmt: skip
    show_table(columns, [[_cell(row, key) for key in keys] for row in rows])


def _cell(row: dict[str, object], key: str) -> str:
    value = row[key]
    if key == "PA" and not row["PA_met"]:
        return f"{value:.3f} !"
    if isinstance(value, float):
        return f"{value:.0f}" if key == "bytes" else f"{value:.3f}"
    return "n/a" if value is None else str(value)
