"""Accuracy against bytes, drawn: one line for each way to send a photo."""

from __future__ import annotations

import math
from html import escape
from typing import Any

_WIDE, _HIGH, _LEFT, _LOW, _RIGHT = 600, 300, 44, 40, 150
#: Okabe-Ito, and a mark each, so that a line is known without its colour
_LOOKS = {
    "message": ("#d55e00", "★"), "uint8 features": ("#0072b2", "■"), "float32 features": ("#56b4e9", "◆"),
    "JPEG": ("#009e73", "●"), "WebP": ("#cc79a7", "▲"),
}  # fmt: skip


def curve(points: list[dict[str, Any]]) -> str:
    """Draw a report's rates; nothing where it has none."""
    if not points:
        return ""
    sizes = [math.log10(max(point["bytes"], 0.1)) for point in points]
    low, high = math.floor(min(sizes)), math.ceil(max(sizes))
    least: float = max(math.floor(10 * min(point["accuracy"] for point in points) - 0.5) / 10, 0.0)
    width, height = _WIDE - _LEFT - _RIGHT, _HIGH - _LOW - 10

    def top(accuracy: float) -> float:
        return 10.0 + (1 - accuracy) / (1 - least) * height

    def place(point: dict[str, Any]) -> tuple[float, float]:
        share = (math.log10(max(point["bytes"], 0.1)) - low) / max(high - low, 1)
        return _LEFT + share * width, top(point["accuracy"])

    drawn = []
    for number, way in enumerate(dict.fromkeys(point["way"] for point in points)):
        colour, mark = _LOOKS.get(way, ("#000000", "✚"))
        mine = sorted((point for point in points if point["way"] == way), key=lambda point: point["bytes"])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, mine))
        drawn.append(f'<polyline points="{line}" style="fill:none;stroke:{colour};stroke-width:2"/>')
        for point in mine:
            x, y = place(point)
            quality = "" if point["quality"] is None else f", quality {point['quality']}"
            drawn.append(
                f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle" style="fill:{colour};font-size:15px">{mark}'
                f"<title>{escape(way)}{quality}: {point['bytes']:,.0f} bytes, {point['accuracy']:.1%}</title></text>"
            )
        drawn.append(
            f'<text x="{_WIDE - _RIGHT + 14}" y="{26 + 18 * number}" style="fill:{colour};font-weight:600">'
            f"{mark} {escape(way)}</text>"
        )
    ticks = "".join(
        f'<text class=dim x="{_LEFT + (power - low) / max(high - low, 1) * width:.0f}" y="{_HIGH - 20}" '
        f'text-anchor="middle">{10.0**power:,g}</text>'
        for power in range(low, high + 1)
    )
    shares = "".join(
        f'<text class=dim x="{_LEFT - 6}" y="{top(share) + 4:.0f}" text-anchor="end">{share:.0%}</text>'
        for share in (least, (1 + least) / 2, 1)
    )
    return (
        "<h3>Accuracy against bytes</h3><p class=note>Each way to send a photo, on the same test photos; further up "
        "and to the left is better. Features and files are unprotected: whoever gets them has the photo.</p>"
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="Bytes on x (log), accuracy on y, a line per way">'
        f'{ticks}{shares}<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{_HIGH - _LOW}" y2="{_HIGH - _LOW}"/>'
        f'<line x1="{_LEFT}" x2="{_LEFT}" y1="10" y2="{_HIGH - _LOW}"/>'
        f'<text class=dim x="{_WIDE - _RIGHT}" y="{_HIGH - 4}" text-anchor="end">bytes (log)</text>'
        f"{''.join(drawn)}</svg>"
    )
