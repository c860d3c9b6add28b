"""`pripro run`: everything that a deploy.toml says; a re-run redoes only what its inputs changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import next_command, say, show_json
from ._options import JsonOption
from ._progress import share_bar
from ._reports import will_keep


def command(
    config: Annotated[Path, typer.Argument(help="deploy.toml", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Partition, protect, convert, package, lint, verify and measure, each only if its inputs changed."""
    from ..bundle import MANIFEST, Bundle
    from ..pipeline.build import run
    from ..pipeline.config import read_config

    wanted = read_config(config)
    if (wanted.bundle / MANIFEST).is_file():
        will_keep(Bundle.open(wanted.bundle))
    with share_bar("run") as bar:
        built = run(wanted, bar, say)
    lint, parity, latency = built.lint, built.parity, built.latency
    if as_json:
        bundle_id = built.bundle.manifest.bundle_id
        reports = {"lint": lint, "parity": parity, "latency": latency}
        show_json({"bundle_id": bundle_id, **{name: report.model_dump() for name, report in reports.items()}})
    else:
        from ._latency_table import print_report
        from ._lint_table import show as show_lint
        from ._parity_table import show

        show_lint(lint, as_json=False)
        show(parity, as_json=False)
        print_report(latency)
    if lint.refused:
        say("lint refused some heads; nothing should be shipped from this bundle.")
        raise typer.Exit(1)
    if not parity.passed:
        say("some rows failed; nothing should be shipped from this bundle.")
        raise typer.Exit(1)
    next_command(f"pripro evaluate {wanted.bundle}   # what an attacker still gets")
    next_command(f"pripro serve {wanted.bundle}      # the tail, on http")
    next_command(f"pripro demo-app android {wanted.bundle}   # the head, on a phone")
