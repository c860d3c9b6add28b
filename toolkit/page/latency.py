"""Latency: a bar per head with its percentiles, the slowest operators, and the state of the machine."""

from __future__ import annotations

from html import escape
from typing import Any

from ..bundle import Bundle
from .page import table

# a phone's width, so that text keeps its size there
_LEFT, _WIDTH, _ROW = 6, 380, 44
#: what the longest whisker leaves to the figures beside the bars
_FIGURES = 140


def section(reports: list[dict[str, Any]], bundle: Bundle) -> str:
    """Draw the newest latency report of every device."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        newest[report["device"]["kind"], report["device"]["model"]] = report
    return "<h2>Latency</h2>" + "".join(_device(report) for report in newest.values())


def _device(report: dict[str, Any]) -> str:
    device = report["device"]
    where = "Host, not a phone" if device["kind"] == "host" else f"{device['model']} ({device['kind']})"
    columns = [
        "head",
        "threads",
        "load ms",
        "first ms",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "std ms",
        "n",
        "ratio",
        "peak MB",
    ]
    flags = sorted({row["flag"] for row in report["rows"] if row["flag"]})
    doubts = "".join(f"<p class=bad>Doubt: {escape(flag)}</p>" for flag in flags)
    return (
        f"<h3>{escape(where)}: {escape(device['cpu'])}, {escape(device['os'])}</h3>"
        f"{bars(report['rows'])}{doubts}{table(columns, [_cells(row) for row in report['rows']])}"
        f"{_operators(report.get('operators', []))}"
        f"<p class=note>{escape(report['created_utc'])}; start: {escape(_state(report['start']))}; "
        f"end: {escape(_state(report['end']))}</p>"
    )


def bars(rows: list[dict[str, Any]]) -> str:
    """Draw p50 as a bar, p90 and p99 as ticks on its whisker; milliseconds, one scale for all."""
    longest = max(row["p99_ms"] for row in rows) or 1.0
    scale = (_WIDTH - 2 * _LEFT - _FIGURES) / longest
    parts = []
    for index, row in enumerate(rows):
        top = index * _ROW
        middle = top + 30
        p50, p90, p99 = (_LEFT + scale * row[key] for key in ("p50_ms", "p90_ms", "p99_ms"))
        colour = "--a" if row["part"] == "head" else "--b"
        label = f"{name(row)}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        figures = " / ".join(f"{row[key]:.3g}" for key in ("p50_ms", "p90_ms", "p99_ms"))
        parts.append(
            f'<text x="{_LEFT}" y="{top + 16}">{escape(label)}</text>'
            f'<text x="{_WIDTH - _LEFT}" y="{middle + 5}" text-anchor="end">{figures} ms</text>'
            f'<rect x="{_LEFT}" y="{middle - 7}" width="{p50 - _LEFT:.1f}" height="14" style="fill:var({colour})"/>'
            f'<line x1="{p50:.1f}" x2="{p99:.1f}" y1="{middle}" y2="{middle}"/>'
            + "".join(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 5}" y2="{middle + 5}"/>' for x in (p90, p99))
        )
    height = len(rows) * _ROW + 4
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Latency per head: bar p50, ticks p90 and p99">'
        f"{''.join(parts)}</svg><p class=note>Bar: p50; ticks: p90 and p99. Ratios come from interleaved rounds.</p>"
    )


def name(row: dict[str, Any]) -> str:
    """Name a row of the report for people."""
    part = {"head": "", "unprotected-head": "without protection: "}.get(row["part"], f"{row['part']}: ")
    return f"{part}{row['target']} {row['precision']} {row['backend']}"


def _cells(row: dict[str, Any]) -> list[str]:
    memory = row["peak_memory_bytes"]
    times = [row["load_ms"], row["first_run_ms"], row["p50_ms"], row["p90_ms"], row["p99_ms"], row["std_ms"]]
    ratio = row["ratio_to_first"]
    return [
        name(row),
        str(row["threads"]),
        *("" if ms is None else f"{ms:.3g}" for ms in times),
        str(row["n"]),
        "" if ratio is None else f"{ratio:.2f}",
        "" if memory is None else f"{memory / 1e6:.1f}",
    ]


def _operators(operators: list[dict[str, Any]]) -> str:
    if not operators:
        return ""
    rows = [
        [
            f"{line['target']} {line['precision']}",
            line["operator"],
            str(line["calls"]),
            f"{line['total_ms']:.3f}",
            f"{line['share']:.0%}",
        ]
        for line in operators
    ]
    return "<h3>Slowest operators</h3>" + table(["head", "operator", "calls", "ms per run", "share"], rows, 2)


def _state(condition: dict[str, Any]) -> str:
    names = {
        "governor": "governor {}", "temperature_c": "{:.1f} °C", "thermal_status": "thermal status {}",
        "battery_percent": "battery {} %", "load_average": "load {:.1f}",
    }  # fmt: skip
    told = [form.format(condition[key]) for key, form in names.items() if condition.get(key) is not None]
    return ", ".join(told) or "not reported by this machine"
