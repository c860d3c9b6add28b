"""The plan: every cut in the plane of bytes and latency, one request as a timeline, what to choose."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from ..bundle import Bundle
from .page import table

# a phone's width, so that text keeps its size there
_WIDTH, _HEIGHT, _MARGIN = 380, 460, 40
_LINE = 11
_SIZES = ("bytes_fp32", "bytes_fp16", "bytes_uint8", "bytes_waist")


def section(reports: list[dict[str, Any]], bundle: Bundle) -> str:
    """Draw the newest plan."""
    return draw(reports[-1])


def draw(report: dict[str, Any]) -> str:
    """Draw one plan, given as the parsed JSON of a PlanReport."""
    rows = report["rows"]
    link = f"trace {report['trace']}" if report["trace"] else f"{report['bandwidth_mbps']:g} Mbps"
    choices = "".join(
        f"<li><b>{escape(item['goal'])}</b>: {escape(item['option'] + ' ' + item['name'])}. {escape(item['why'])}</li>"
        for item in report["recommendations"]
    )
    assumptions = "".join(f"<li>{escape(line)}</li>" for line in report["assumptions"])
    error = f"{report['head_error_median_share']:.0%} (median), {report['head_error_worst_share']:.0%} (worst)"
    return (
        f"<h2>Plan</h2><p>{escape(report['network'])}, {escape(report['protection'])}, heads "
        f"{escape(report['target'])} {escape(report['precision'])}, {escape(report['encoding'])} on the wire, "
        f"{escape(link)}, round trip {report['rtt_ms']:g} ms.</p><ul>{choices}</ul>"
        f"<h3>Every option</h3>{pareto(rows)}<h3>One request</h3>{timeline(rows)}"
        f"<h3>Where the fastest option changes</h3>{_crossings(report['crossings'])}"
        f"<p>If the photo stays on the phone:</p>{_crossings(report['private_crossings'])}"
        f"{_table(rows)}<p class=note>Predicted heads carry a ~; measured cuts, left out in turn, were missed by "
        f"{error}.</p>"
        f"<ul class=note>{assumptions}</ul>"
    )


def _crossings(found: list[dict[str, Any]]) -> str:
    lines = "".join(
        f"<li>{item['bandwidth_mbps']:.3g} Mbps: {escape(item['below'])} below, {escape(item['above'])} above</li>"
        for item in found
    )
    return f"<ul>{lines or '<li>nowhere from 0.1 to 1,000 Mbps</li>'}</ul>"


def pareto(rows: list[dict[str, Any]]) -> str:
    """Draw bytes (logarithmic) against total ms (logarithmic); the front is filled, every point has its name."""
    xs = [math.log10(max(row["bytes_sent"], 100)) for row in rows]
    ys = [math.log10(max(row["total_ms"], 0.01)) for row in rows]
    points = []
    spots: dict[tuple[int, int], list[str]] = {}
    for row, x, y in sorted(zip(rows, xs, ys, strict=True), key=lambda item: item[2]):
        left = _scale(x, xs, _MARGIN, _WIDTH - 20)
        top = _scale(y, ys, _HEIGHT - _MARGIN, 40)
        near = next((spot for spot in spots if math.dist(spot, (left, top)) < 6), (round(left), round(top)))
        spots.setdefault(near, []).append(row["name"])
        colour = {"split": "--a", "edge-only": "--c", "cloud-only": "--b"}[row["option"]]
        fill = f"fill:var({colour})" if row["on_pareto_front"] else f"fill:none;stroke:var({colour});stroke-width:1.5"
        title = f"{row['name']}: {row['total_ms']:.1f} ms, {row['bytes_sent']:,} bytes"
        points.append(f"<g><title>{escape(title)}</title>{_mark(row['option'], left, top, fill)}</g>")
    points.extend(_labels(spots))
    axis = (
        f'<line x1="{_MARGIN}" y1="{_HEIGHT - 30}" x2="{_WIDTH - 10}" y2="{_HEIGHT - 30}"/>'
        f'<line x1="{_MARGIN - 14}" y1="28" x2="{_MARGIN - 14}" y2="{_HEIGHT - 30}"/>'
    )
    low, high = min(row["total_ms"] for row in rows), max(row["total_ms"] for row in rows)
    most = max(row["bytes_sent"] for row in rows)
    texts = (
        f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 12}" text-anchor="end">{most / 1e3:,.0f} KB</text>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}" text-anchor="middle">bytes sent (log)</text>'
        f'<text x="2" y="20">{high:.0f} ms</text><text x="2" y="{_HEIGHT - 12}">{low:.0f} ms</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Latency against bytes for every option">'
        f"{axis}{texts}{''.join(points)}</svg><p class=note>Circle: split; square: all on the phone; diamond: photo "
        "uploaded. Filled: no other option is better in latency, bytes and exposure together.</p>"
    )


def _labels(spots: dict[tuple[int, int], list[str]]) -> list[str]:
    """Write each spot's names beside it, first and last where cuts coincide; none over another or a mark."""
    texts: list[str] = []
    taken: list[tuple[float, float, float]] = [(left - 6.0, left + 6.0, top + 4.0) for left, top in spots]
    for (left, top), names in spots.items():
        text = ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]} ({len(names)})"
        width = 5.6 * len(text)
        places = [
            (start, top + 4 + rows * _LINE)
            # as near as there is room: to the right, to the left, then a line up or down, and so on
            for rows in sorted(range(-30, 31), key=abs)
            for start in (left + 9.0, left - 9.0 - width)
            if start >= 2 and start + width < _WIDTH and _LINE <= top + 4 + rows * _LINE < _HEIGHT - _LINE
        ]
        free = (
            (start, line)
            for start, line in places
            if not any(abs(line - at) < _LINE and start < to and begin < start + width for begin, to, at in taken)
        )
        start, line = next(free, (2.0, top + 4))
        taken.append((start, start + width, line))
        texts.append(f'<text x="{start:.0f}" y="{line:.0f}" style="font-size:10px">{escape(text)}</text>')
    return texts


def _scale(value: float, values: list[float], low: float, high: float) -> float:
    span = max(values) - min(values) or 1.0
    return low + (value - min(values)) / span * (high - low)


def _mark(option: str, x: float, y: float, style: str) -> str:
    if option == "split":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" style="{style}"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if option == "cloud-only" else ""
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" style="{style}"{turn}/>'


def timeline(rows: list[dict[str, Any]], most: int = 6) -> str:
    """Draw head, network and tail of the fastest options as one bar each."""
    fastest = sorted(rows, key=lambda row: row["total_ms"])[:most]
    scale = (_WIDTH - 12) / (fastest[-1]["total_ms"] or 1.0)
    parts = []
    for index, row in enumerate(fastest):
        top, left = index * 46, 6.0
        parts_ms = " + ".join(f"{row[key]:.1f}" for key in ("head_ms", "network_ms", "tail_ms"))
        text = f"{row['option']} {row['name']}: {parts_ms} = {row['total_ms']:.1f} ms"
        parts.append(f'<text x="6" y="{top + 15}" style="font-size:10.5px">{escape(text)}</text>')
        for key, colour in (("head_ms", "--a"), ("network_ms", "--b"), ("tail_ms", "--c")):
            width = row[key] * scale
            parts.append(
                f'<rect x="{left:.1f}" y="{top + 21}" width="{width:.1f}" height="16" style="fill:var({colour})"/>'
            )
            left += width
    return (
        f'<svg viewBox="0 0 {_WIDTH} {len(fastest) * 46}" role="img" aria-label="Timeline of one request">'
        f"{''.join(parts)}</svg><p class=note>In order: head on the phone, network, tail in the cloud.</p>"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    columns = [
        "option",
        "head ms",
        "network ms",
        "tail ms",
        "total ms",
        "bytes sent",
        "fp32",
        "fp16",
        "uint8",
        "waist",
        "front",
    ]
    lines = [
        [
            row["name"] if row["option"] == "split" else f"{row['option']}: {row['name']}",
            f"{'~' if row['head_source'] == 'predicted' else ''}{row['head_ms']:.1f}",
            f"{row['network_ms']:.1f}",
            f"{row['tail_ms']:.1f}",
            f"{row['total_ms']:.1f}",
            f"{row['bytes_sent']:,}",
            *("" if row[key] is None else f"{row[key]:,}" for key in _SIZES),
            "yes" if row["on_pareto_front"] else "",
        ]
        for row in rows
    ]
    return table(columns, lines)
