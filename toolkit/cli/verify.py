"""`pripro verify`: are heads and tail what eager torch says, in numbers, in noise and for the task?"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json
from ._options import BundleArgument, JsonOption, names
from ._parity_table import show, show_explanation
from ._progress import counted, share_bar

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..records.parity import ParityReport

__all__ = ["command", "run", "show"]


def command(
    bundle: BundleArgument,
    tail: Annotated[str | None, typer.Option(help="URL of a running tail; default: serve the bundle's own.")] = None,
    token: Annotated[str | None, typer.Option(envvar="PRIPRO_TOKEN", help="Bearer token of that tail.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only these targets, separated by commas.")] = None,
    explain: Annotated[
        str | None,
        typer.Option(metavar="TARGET[:PRECISION]", help="Find the first layer of that head that departs."),
    ] = None,
    device_report: Annotated[
        Path | None, typer.Option(help="Judge what a phone answered: its parity screen's JSON file.")
    ] = None,
    arm64: Annotated[bool, typer.Option("--arm64", help="Also run heads on emulated aarch64 kernels.")] = False,
    tflite_compat: Annotated[
        str | None, typer.Option(metavar="2.14", help="Also run .tflite heads on that old tflite-runtime.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the goldens on every head's real runtime and through the tail; a failing row makes exit code 1."""
    from ..bundle import Bundle

    opened = Bundle.open(bundle)
    if explain is not None:
        _explain(opened, explain, as_json)
        return
    if device_report is not None:
        report = _judge_device(opened, device_report)
    else:
        report, _ = run(
            opened, tail, token, None if to is None else names(to), arm64=arm64, tflite_compat=tflite_compat
        )
    show(report, as_json)
    _next(bundle, report)
    if not report.passed:
        raise typer.Exit(1)


def run(
    opened: Bundle,
    tail: str | None,
    token: str | None,
    targets: list[str] | None,
    *,
    arm64: bool = False,
    tflite_compat: str | None = None,
) -> tuple[ParityReport, Path]:
    """Verify with a tail that is served for the occasion or already running, and keep the report."""
    from cloud_tail.client import TailClient

    from ..package.serving import serving
    from ..verify.report import verify

    say(f"verifying {opened.root} ...")
    with contextlib.ExitStack() as stack:
        url = tail or stack.enter_context(serving(opened))
        client = stack.enter_context(TailClient(url, token, bundle_id=opened.manifest.bundle_id))
        bar = stack.enter_context(share_bar("verify"))
        report = verify(
            opened, client, targets=targets, arm64=arm64, tflite_compat=tflite_compat, progress=counted(bar)
        )
    return report, _keep(opened, report)


def _judge_device(opened: Bundle, path: Path) -> ParityReport:
    from ..verify.device import device_rows, read_device_report
    from ..verify.replay import load_goldens
    from ..verify.report import report_of

    told = read_device_report(path, opened)
    report = report_of(opened, device_rows(told, opened, load_goldens(opened)), told.device)
    _keep(opened, report)
    return report


def _explain(opened: Bundle, wanted: str, as_json: bool) -> None:
    from ..errors import UnknownNameError
    from ..verify.explain import explain
    from ..verify.report import chosen_heads

    target, _, precision = wanted.partition(":")
    heads = [head for head in chosen_heads(opened, [target]) if precision in ("", head.precision)]
    if not heads:
        raise UnknownNameError(f"precision of {target}", precision, {h.precision for h in opened.manifest.heads})
    found = []
    for head in heads:
        say(f"comparing {head.target} {head.precision} with eager torch, layer by layer ...")
        found.append(explain(opened, head))
    if as_json:
        show_json([each.as_dict() for each in found])
    else:
        for each in found:
            show_explanation(each)
    next_command(f"pripro verify {opened.root}")


def _keep(opened: Bundle, report: ParityReport) -> Path:
    from ..bundle import write_atomically

    path = opened.report_path("parity")
    write_atomically(path, (report.model_dump_json(indent=2) + "\n").encode())
    return path


def _next(bundle: Path, report: ParityReport) -> None:
    failed = next((row for row in report.rows if row.passed is False and row.level == "numeric"), None)
    if report.passed:
        next_command(f"pripro measure {bundle}")
    elif failed is not None:
        next_command(f"pripro verify {bundle} --explain {failed.target}:{failed.precision}")
    else:
        next_command(f"pripro convert {bundle}, then verify again")
