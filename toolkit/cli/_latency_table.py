"""A latency report as tables for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from ..reports import Condition, LatencyReport, LatencyRow


def print_report(report: LatencyReport) -> None:
    """Print rows, operators and the machine's state on stdout."""
    console = Console()
    device = report.device
    place = "on this host (not on a phone)" if device.kind == "host" else f"on {device.model} ({device.kind})"
    console.print(f"Latency {place}: {device.cpu}, {device.cores} cores, {device.os}", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("head")
    for name in ("thr", "load ms", "first ms", "p50 ms", "p90", "p99", "std", "n", "ratio", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for line in injector_shares(report):
        console.print(line, highlight=False)
    if report.operators:
        console.print(_operator_table(report))
    console.print(f"start: {_state(report.start)}; end: {_state(report.end)}", highlight=False)
    doubts: dict[str, list[str]] = {}
    for row in report.rows:
        if row.flag:
            doubts.setdefault(row.flag, []).append(f"{row.target} {row.precision}, {row.threads} thr")
    for flag, rows in doubts.items():
        console.print(f"[bold]doubt[/bold] ({'; '.join(rows)}): {flag}", highlight=False)


def _cells(row: LatencyRow) -> list[str]:
    part = "bare " if row.part == "unprotected-head" else "" if row.part == "head" else f"{row.part} "
    name = f"{part}{row.target} {row.precision} {row.backend}{' *' if row.flag else ''}"
    ratio = "" if row.ratio_to_first is None else f"{row.ratio_to_first:.2f}"
    memory = "" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.0f}"
    times = [row.load_ms, row.first_run_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.std_ms]
    return [name, str(row.threads), *("" if ms is None else f"{ms:.3g}" for ms in times), str(row.n), ratio, memory]


def _operator_table(report: LatencyReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title="Slowest operators, by each runtime's own profiler")
    for name in ("head", "operator", "calls", "ms", "share"):
        table.add_column(name, justify="left" if name in ("head", "operator") else "right")
    previous = ""
    for line in report.operators:
        head = f"{line.target} {line.precision}"
        table.add_row(
            head if head != previous else "",
            line.operator,
            str(line.calls),
            f"{line.total_ms:.3f}",
            f"{line.share:.0%}",
        )
        previous = head
    return table


def injector_shares(report: LatencyReport) -> list[str]:
    """Say what part of each head's time its protection takes, where the unprotected head was timed beside it."""
    bare = {(r.target, r.precision, r.backend, r.threads): r for r in report.rows if r.part == "unprotected-head"}
    lines = []
    for row in report.rows:
        other = bare.get((row.target, row.precision, row.backend, row.threads))
        if row.part != "head" or other is None or row.ratio_to_first is None or other.ratio_to_first is None:
            continue
        # ratios come from the same rounds, so drift has cancelled
        share = 1 - other.ratio_to_first / row.ratio_to_first
        lines.append(f"protection's share of {row.target} {row.precision}, {row.threads} thr: {share:.0%}")
    return lines


def _state(condition: Condition) -> str:
    parts = []
    if condition.load_average is not None:
        parts.append(f"load {condition.load_average:.2f}")
    parts.append(f"governor {condition.governor or 'unknown'}")
    parts.append("temperature unknown" if condition.temperature_c is None else f"{condition.temperature_c:.1f} °C")
    if condition.battery_percent is not None:
        parts.append(f"battery {condition.battery_percent:.0f} %")
    return ", ".join(parts)
