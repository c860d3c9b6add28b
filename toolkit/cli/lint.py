"""`pripro lint`: what a phone's accelerators leave out, split or get wrong, before any phone runs it."""

from __future__ import annotations

from typing import Annotated

import typer

from ._console import next_command
from ._lint_table import show
from ._options import BundleArgument, JsonOption, names, pairs
from ._progress import share_bar
from ._reports import will_keep


def command(
    bundle: BundleArgument,
    backend: Annotated[
        str | None, typer.Option(help="Only these backends, separated by commas, such as tflite-gpu,coreml-ane.")
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="fallback,partitions:1,known-wrong,slow", help="Findings that make exit code 1; default: none."
        ),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(metavar="PACKAGE=VERSION", help="A runtime's version on the phone; default: the head's own."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show for every head and backend which operators fall back, in how many parts it runs, what is wrong or slow."""
    from ..bundle import Bundle
    from ..lint.report import lint_bundle
    from ..lint.settings import LintSettings
    from ..records.settings import chosen

    opened = Bundle.open(bundle)
    settings = chosen(
        LintSettings,
        backends=None if backend is None else names(backend, "--backend"),
        fail_on=[] if fail_on is None else names(fail_on, "--fail-on"),
        runtimes=pairs(runtime, "--runtime", "PACKAGE=VERSION", "ai-edge-litert=2.1.5"),
    )
    kept = will_keep(opened)
    with share_bar("lint") as bar:
        report = lint_bundle(opened, settings, progress=bar)
    if kept:
        opened.add_report(report)
    show(report, as_json)
    if report.refused:
        next_command(f"pripro convert {bundle}, with another precision, backend or cut, then lint again")
        raise typer.Exit(1)
    next_command(f"pripro measure {bundle}")
