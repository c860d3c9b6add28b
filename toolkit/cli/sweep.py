"""`pripro sweep`: every method on every network and cut, under every attack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json, show_table
from ._options import JsonOption, refuse_beside
from ._progress import share_bar


def command(
    config: Annotated[Path, typer.Argument(help="sweep.toml", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the cells; finished ones are reused.")] = Path(
        "build/sweep"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster, or 'local'; --out must be shared by its nodes.")
    ] = None,
    only_finished: Annotated[
        bool, typer.Option("--only-finished", help="Show finished cells without running any.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a sweep; a finished cell is a file and is never computed again."""
    from ..evaluate.ranks import ranks
    from ..evaluate.sweep import as_rows, finished, list_cells, read_config, run_sweep

    if only_finished:
        refuse_beside("--only-finished", ray=ray)
    wanted = read_config(config)
    if only_finished:
        results = finished(wanted, out)
        say(f"{len(results)} of {len(list_cells(wanted))} cells are finished")
    else:
        with share_bar("sweep") as bar:
            results = run_sweep(wanted, out, jobs=jobs, ray=ray, progress=bar)
        if not ranks().first:
            return
    rows = as_rows(results)
    if as_json:
        show_json({"rows": rows})
    else:
        show_table(
            ["network", "cut", "method", "attack", "task", ">looks", ">PA", ">PI", ">worst 5%", ">SSIM", ">seed"],
            [
                [
                    row["network"], row["cut"], row["method"], row["attack"], row["task"], row["observations"],
                    *(_share(row[key]) for key in ("PA", "PI_mean", "PI_worst5", "SSIM")), row["seed"],
                ]
                for row in rows
            ],
        )  # fmt: skip
    next_command(f"pripro sweep {config} -o {out} --only-finished --json > table.json")


def _share(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else ""
