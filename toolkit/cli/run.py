"""`pripro run`: everything that a deploy.toml says; a re-run redoes only what its inputs changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json
from ._options import JsonOption
from ._progress import share_bar


def command(
    config: Annotated[Path, typer.Argument(help="deploy.toml", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Partition, protect, convert, package, verify and measure, each only if its inputs changed."""
    from ..pipeline.build import run
    from ..pipeline.config import read_config

    wanted = read_config(config)
    with share_bar("run") as bar:
        built = run(wanted, bar)
    parity, latency = built.parity, built.latency
    if as_json:
        bundle_id = built.bundle.manifest.bundle_id
        show_json({"bundle_id": bundle_id, "parity": parity.model_dump(), "latency": latency.model_dump()})
    else:
        from ._latency_table import print_report
        from ._parity_table import show

        show(parity, as_json=False)
        print_report(latency)
    if not parity.passed:
        say("some rows failed; nothing should be shipped from this bundle.")
        raise typer.Exit(1)
    next_command(f"pripro evaluate {wanted.bundle}   # what an attacker still gets")
    next_command(f"pripro serve {wanted.bundle}      # the tail, on http")
    next_command(f"pripro demo-app android {wanted.bundle}   # the head, on a phone")
