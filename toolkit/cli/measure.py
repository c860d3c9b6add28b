"""`pripro measure`: latency of a bundle's heads, on this host or on a phone."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_text
from ._options import BundleArgument, JsonOption, refuse_beside, whole_numbers
from ._reports import will_keep

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..measure.timing import Effort
    from ..records.latency import LatencyReport


def command(
    bundle: BundleArgument,
    threads: Annotated[str, typer.Option(help="Thread counts to time each head with, such as 1,2.")] = "1",
    target: Annotated[list[str] | None, typer.Option(help="Only heads of this target; repeatable.")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Only heads of this precision; repeatable.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Minimum runs per head.")] = 50,
    seconds: Annotated[
        float, typer.Option(min=0.0, max=86_400.0, help="Minimum seconds of timed runs per head.")
    ] = 5.0,
    quick: Annotated[bool, typer.Option("--quick", help="Only a few runs: a first look, not a result.")] = False,
    full: Annotated[bool, typer.Option("--full", help="1,024 runs and 60 s per head, as MLPerf Mobile asks.")] = False,
    unprotected: Annotated[
        bool, typer.Option("--unprotected", help="Also convert and time the heads without their protection.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Also show each runtime's ten slowest operators.")] = False,
    device: Annotated[str | None, typer.Option(help="adb or adb:SERIAL: measure on this phone.")] = None,
    runner: Annotated[
        Path | None, typer.Option(help="With --device: benchmark_model or executor_runner, built for the phone.")
    ] = None,
    device_report: Annotated[
        Path | None, typer.Option(help="Import a latency report that a demo app wrote instead of measuring.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time the heads: load, first run and steady state apart, p50 / p90 / p99, interleaved so that drift cancels."""
    from ..bundle import Bundle
    from ..errors import InputError
    from ..measure.settings import QUICK_SAMPLES, effort_of
    from ._latency_table import print_report

    if device_report is not None:
        refuse_beside(
            "--device-report", device=device, runner=runner, target=target, precision=precision,
            unprotected=unprotected, profile=profile, quick=quick, full=full,
        )  # fmt: skip
    elif device is not None:
        refuse_beside("--device", unprotected=unprotected, profile=profile, full=full)
    elif runner is not None:
        raise InputError("--runner is for a phone; give --device adb with it, or leave it out.")
    opened = Bundle.open(bundle)
    kept = will_keep(opened)
    if device_report is not None:
        from ..measure.device_report import read_device_report

        report = read_device_report(device_report, opened)
    elif device is not None:
        report = _on_phone(
            opened, device, runner, _counts(threads), target, precision, QUICK_SAMPLES if quick else samples
        )
    else:
        report = _on_host(
            opened,
            _counts(threads),
            target,
            precision,
            effort_of(samples, seconds, quick=quick, full=full),
            unprotected,
            profile,
        )
    if profile:
        for name in sorted({row.target for row in report.rows} - {row.target for row in report.operators}):
            say(f"no operator profile of {name}: its Python package opens no profiler (benchmark_model has one)")
    if as_json:
        show_text(report.model_dump_json(indent=2))
    else:
        print_report(report)
    if kept:
        say(f"written: {opened.add_report(report)}")
        next_command(f"pripro report {bundle}")


def _on_host(
    bundle: Bundle,
    threads: list[int],
    targets: list[str] | None,
    precisions: list[str] | None,
    effort: Effort,
    unprotected: bool,
    profile: bool,
) -> LatencyReport:
    from ..measure.heads import choose_heads, measure_bundle
    from ..measure.unprotected import convert_unprotected
    from ._progress import share_bar

    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(share_bar("measuring"))
        bare = []
        if unprotected:
            heads = choose_heads(bundle, targets, precisions)
            bare = stack.enter_context(convert_unprotected(bundle, heads, progress))
        return measure_bundle(
            bundle,
            threads=threads,
            targets=targets,
            precisions=precisions,
            effort=effort,
            unprotected=bare,
            profile=profile,
            progress=progress,
        )


def _on_phone(
    bundle: Bundle,
    device: str,
    runner: Path | None,
    threads: list[int],
    targets: list[str] | None,
    precisions: list[str] | None,
    samples: int,
) -> LatencyReport:
    from ..errors import InputError
    from ..measure.phone import measure_on_phone
    from ._progress import share_bar

    transport, _, serial = device.partition(":")
    if transport != "adb":
        raise InputError(f"--device {device!r} is not known; give adb, or adb:SERIAL as listed by: adb devices.")
    if runner is None:
        raise InputError("--device needs --runner: a benchmark_model or executor_runner binary built for the phone.")
    try:
        with share_bar("measuring on the phone") as progress:
            return measure_on_phone(
                bundle,
                runner,
                serial=serial or None,
                threads=threads,
                targets=targets,
                precisions=precisions,
                samples=samples,
                progress=progress,
            )
    except KeyboardInterrupt:
        say("interrupted; the phone has been cleaned up, and no report was written.")
        raise


def _counts(text: str) -> list[int]:
    from ..measure.settings import MOST_THREADS

    return sorted(whole_numbers(text, "--threads", 1, MOST_THREADS))
