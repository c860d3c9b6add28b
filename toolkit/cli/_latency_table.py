"""A latency report as tables for people."""

from __future__ import annotations

from ..records.latency import LatencyReport, LatencyRow
from ..records.machine import Condition
from ._console import say, show_table

_COLUMNS = ["head", ">threads", ">load ms", ">first ms", ">p50 ms", ">p90", ">p99", ">std", ">n", ">ratio", ">peak MB"]


def print_report(report: LatencyReport) -> None:
    """Print rows and operators on stdout, the machine's state and every doubt on stderr."""
    device = report.device
    place = "on this host, not on a phone" if device.kind == "host" else f"on {device.model} ({device.kind})"
    title = f"Latency {place}: {device.cpu}, {device.cores} cores, {device.os}"
    show_table(_COLUMNS, [_cells(row) for row in report.rows], title)
    for line in injector_shares(report):
        say(line)
    if report.operators:
        show_table(
            ["head", "operator", ">calls", ">ms", ">share"],
            [
                (f"{row.target} {row.precision}", row.operator, row.calls, f"{row.total_ms:.3f}", f"{row.share:.0%}")
                for row in report.operators
            ],
            "Slowest operators, by each runtime's own profiler",
        )
    say(f"start: {_state(report.start)}; end: {_state(report.end)}")
    doubts: dict[str, list[str]] = {}
    for row in report.rows:
        if row.flag:
            doubts.setdefault(row.flag, []).append(f"{_name(row)}, {_threads(row)}")
    for flag, names in doubts.items():
        say(f"doubt about {'; '.join(names)}: {flag}")


def _name(row: LatencyRow) -> str:
    part = {"head": "", "unprotected-head": "unprotected "}.get(row.part, f"{row.part} ")
    return f"{part}{row.target} {row.precision} {row.backend}"


def _threads(row: LatencyRow) -> str:
    return f"{row.threads} thread{'s' if row.threads > 1 else ''}"


def _cells(row: LatencyRow) -> list[str]:
    ratio = "" if row.ratio_to_first is None else f"{row.ratio_to_first:.2f}"
    memory = "" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.1f}"
    times = [row.load_ms, row.first_run_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.std_ms]
    numbers = ["" if ms is None else f"{ms:.3g}" for ms in times]
    return [_name(row) + (" (doubt)" if row.flag else ""), str(row.threads), *numbers, str(row.n), ratio, memory]


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
        lines.append(f"protection's share of {_name(row)}, {_threads(row)}: {share:.0%}")
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
