"""`pripro verify`: numeric parity of every head, and end to end through the tail."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json, show_table
from ._options import BundleArgument, JsonOption, names
from ._progress import counted, share_bar

if TYPE_CHECKING:
    from pathlib import Path

    from ..bundle import Bundle
    from ..reports import ParityReport, ParityRow

_VERDICTS = {True: "pass", False: "FAIL", None: "not run"}


def command(
    bundle: BundleArgument,
    tail: Annotated[str | None, typer.Option(help="URL of a running tail; default: serve the bundle's own.")] = None,
    token: Annotated[str | None, typer.Option(envvar="PRIPRO_TOKEN", help="Bearer token of that tail.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only these targets, separated by commas.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the goldens on every head's real runtime and through the tail; a failing row makes exit code 1."""
    from ..bundle import Bundle

    opened = Bundle.open(bundle)
    report, _ = run(opened, tail, token, None if to is None else names(to))
    show(report, as_json)
    next_command(f"pripro measure {bundle}" if report.passed else f"pripro convert {bundle}, then verify again")
    if not report.passed:
        raise typer.Exit(1)


def run(opened: Bundle, tail: str | None, token: str | None, targets: list[str] | None) -> tuple[ParityReport, Path]:
    """Verify with a tail that is served for the occasion or already running, and keep the report."""
    from cloud_tail.client import TailClient

    from ..bundle import write_atomically
    from ..tail_process import serving
    from ..verify import verify

    say(f"verifying {opened.root} ...")
    with contextlib.ExitStack() as stack:
        url = tail or stack.enter_context(serving(opened))
        client = stack.enter_context(TailClient(url, token, bundle_id=opened.manifest.bundle_id))
        bar = stack.enter_context(share_bar("verify"))
        report = verify(opened, client, targets=targets, progress=counted(bar))
    path = opened.report_path("parity")
    write_atomically(path, (report.model_dump_json(indent=2) + "\n").encode())
    return report, path


def show(report: ParityReport, as_json: bool) -> None:
    """Print the report: a table that fits 110 columns, then every note in full."""
    if as_json:
        show_json(report.model_dump())
        return
    rows = [
        (
            _who(row),
            row.where,
            "" if row.max_abs is None else f"{row.max_abs:.2g}",
            "" if row.sqnr_db is None else f"{row.sqnr_db:.1f}",
            _top1(row),
            row.tolerance,
            _VERDICTS[row.passed],
        )
        for row in report.rows
    ]
    show_table(("head", "where", ">max_abs", ">SQNR dB", "top-1 (95 %)", "tolerance", "verdict"), rows)
    if any(_who(row).endswith("*") for row in report.rows):
        say("* Core ML's file in this project's reference evaluator; Core ML itself runs on Apple devices only.")
    for row in report.rows:
        if row.note and not row.passed:
            say(f"{_VERDICTS[row.passed]}: {_who(row)}, {row.where}: {row.note}")


def _who(row: ParityRow) -> str:
    from ..parity.rows import EVALUATOR

    name = " ".join(part for part in (row.target, row.precision) if part)
    if row.runtime == EVALUATOR:
        return f"{name} *"
    return name if row.runtime in (row.target, "none") else f"{name}, {row.runtime}"


def _top1(row: ParityRow) -> str:
    if row.top1_agree is None or row.top1_agree_interval is None:
        return ""
    low, high = row.top1_agree_interval
    return f"{row.top1_agree:.0%} ({low:.0%}-{high:.0%})"
