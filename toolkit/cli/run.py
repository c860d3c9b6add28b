"""`pripro run`: everything that a deploy.toml says; a re-run redoes only what its inputs changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json
from ._options import JsonOption
from ._progress import share_bar

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..pipeline.config import Deploy
    from ..records.latency import LatencyReport
    from ..records.parity import ParityReport


def command(
    config: Annotated[Path, typer.Argument(help="deploy.toml", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Partition, protect, convert, package, verify and measure, each only if its inputs changed."""
    from ..pipeline.build import build
    from ..pipeline.config import read_config

    wanted = read_config(config)
    with share_bar("run") as bar:
        bundle = build(wanted, lambda stage, share, text: bar(share, f"{stage} {text}"))
    parity, latency = _verified(bundle), _measured(bundle, wanted)
    if as_json:
        show_json(
            {"bundle_id": bundle.manifest.bundle_id, "parity": parity.model_dump(), "latency": latency.model_dump()}
        )
    else:
        from . import verify
        from ._latency_table import print_report

        verify.show(parity, as_json=False)
        print_report(latency)
    if not parity.passed:
        say("some rows failed; nothing should be shipped from this bundle.")
        raise typer.Exit(1)
    next_command(f"pripro evaluate {wanted.bundle}   # what an attacker still gets")
    next_command(f"pripro serve {wanted.bundle}      # the tail, on http")
    next_command(f"pripro demo-app android {wanted.bundle}   # the head, on a phone")


def _verified(bundle: Bundle) -> ParityReport:
    """The last parity report if it is about exactly these files, else a new one."""
    from ..pipeline.reuse import remember, still_true
    from ..records.parity import ParityReport
    from . import verify

    kept = still_true(bundle, ParityReport)
    if kept is not None:
        say("verify: nothing changed since the last report")
        return kept
    report, path = verify.run(bundle, None, None, None)
    remember(bundle, ParityReport, path)
    return report


def _measured(bundle: Bundle, config: Deploy) -> LatencyReport:
    from ..measure.heads import measure_bundle, save_report
    from ..pipeline.reuse import remember, still_true
    from ..records.latency import LatencyReport
    from .measure import effort_of

    kept = still_true(bundle, LatencyReport, config.measure)
    if kept is not None:
        say("measure: nothing changed since the last report")
        return kept
    with share_bar("measure") as bar:
        report = measure_bundle(
            bundle, threads=config.measure.threads, effort=effort_of(quick=config.measure.quick), progress=bar
        )
    remember(bundle, LatencyReport, save_report(bundle, report), config.measure)
    return report
