"""`pripro verify`: do heads and tail compute what eager torch does, in numbers, in noise and for the task?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json
from ._options import BundleArgument, DataOption, JsonOption, names, refuse_beside
from ._parity_table import show, show_explanation
from ._progress import share_bar
from ._reports import will_keep

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..records.parity import ParityReport, ParityRow


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
        Path | None, typer.Option(help="Judge a phone's answers from the JSON file of its parity screen.")
    ] = None,
    arm64: Annotated[bool, typer.Option("--arm64", help="Also run heads on emulated aarch64 kernels.")] = False,
    tflite_compat: Annotated[
        str | None, typer.Option(metavar="2.14", help="Also run .tflite heads on that old tflite-runtime.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the goldens on every head's real runtime and through the tail; a failing row makes exit code 1."""
    from ..bundle import Bundle
    from ..verify.report import verify_bundle

    if explain is not None:
        refuse_beside(
            "--explain", tail=tail, to=to, device_report=device_report, arm64=arm64, tflite_compat=tflite_compat
        )
    if device_report is not None:
        refuse_beside("--device-report", tail=tail, to=to, arm64=arm64, tflite_compat=tflite_compat)
    opened = Bundle.open(bundle)
    if explain is not None:
        _explain(opened, explain, as_json)
        return
    kept = will_keep(opened)
    if device_report is not None:
        report = _judge_device(opened, device_report)
    else:
        say(f"verifying {bundle} ...")
        with share_bar("verify") as bar:
            report = verify_bundle(
                opened, tail, token, targets=None if to is None else names(to, "--to"),
                arm64=arm64, tflite_compat=tflite_compat, data=data, progress=bar,
            )  # fmt: skip
    show(report, as_json)
    if kept:
        opened.add_report(report)
    _next(bundle, report)
    if not report.passed:
        raise typer.Exit(1)


def _judge_device(opened: Bundle, path: Path) -> ParityReport:
    from ..verify.device import device_rows, read_device_report
    from ..verify.replay import load_goldens
    from ..verify.report import report_of

    told = read_device_report(path, opened)
    return report_of(opened, device_rows(told, opened, load_goldens(opened)), told.device)


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


def _next(bundle: Path, report: ParityReport) -> None:
    if report.passed:
        next_command(f"pripro measure {bundle}")
    else:
        next_command(mending(bundle, [row for row in report.rows if row.passed is False]))


def mending(bundle: Path, failed: list[ParityRow]) -> str:
    """The command that fixes or locates the fault: in a head, in the tail, or in what a precision loses."""
    numeric = next((row for row in failed if row.level == "numeric"), None)
    if any(row.target == "tail" for row in failed):
        return f"pripro package {bundle}, then verify again"
    if numeric is not None:
        return f"pripro verify {bundle} --explain {numeric.target}:{numeric.precision}"
    remake = next((row for row in failed if row.level in ("none", "privacy")), None)
    if remake is not None:  # a file that does not run, or noise that is not there
        return f"pripro convert {bundle} --to {remake.target} --precision {remake.precision}, then verify again"
    if any(row.where == "end-to-end" for row in failed):  # of a head whose features agree
        return f"pripro package {bundle}, then verify again"
    if not failed:
        return f"pripro convert {bundle} --to onnx, then verify again"
    return f"pripro verify {bundle} --explain {failed[0].target}:{failed[0].precision}"
