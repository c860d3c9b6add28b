"""The privacy table as text: everything for privacy.md, the three figures that matter most for the README."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
#: heading, attack, looks, field
COLUMNS = (
    ("slant: PI", "attribute", 1, "PI_mean"),
    ("worst 5 %", "attribute", 1, "PI_worst5"),
    ("PI, 10 looks", "averaging", 10, "PI_mean"),
    ("decoder: PI", "residual_decoder", 1, "PI_mean"),
    ("worst 5 %", "residual_decoder", 1, "PI_worst5"),
    ("SSIM", "residual_decoder", 1, "SSIM"),
    ("recognised", "residual_decoder", 1, "recognised"),
    ("rMLE: PI", "rmle", 1, "PI_mean"),
    ("SSIM", "rmle", 1, "SSIM"),
    ("recognised", "rmle", 1, "recognised"),
)


def places(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Network and cut, each once, in the order of the rows."""
    return list(dict.fromkeys((row["network"], row["cut"]) for row in rows))


def methods(rows: Iterable[Row]) -> list[str]:
    """Each method once, in the order of the rows."""
    return list(dict.fromkeys(row["method"] for row in rows))


def figures(rows: Iterable[Row], field: str, **wanted: object) -> list[float]:
    """A field of all rows that match, one per seed."""
    found = [row[field] for row in rows if all(row[key] == value for key, value in wanted.items())]
    return [value for value in found if value is not None]


def told(values: list[float], digits: int = 2) -> str:
    """The mean over seeds, with the range where there are several."""
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def full_table(data: dict[str, Any]) -> str:
    """Every method, attack and figure; one table per network and cut."""
    rows: list[Row] = data["rows"]
    lines = [
        "# What attackers get, method by method",
        "",
        f"`{data['command']}`, {data['date']}, {data['machine']['cores']} cores, "
        + ", ".join(f"{name} {version}" for name, version in data["versions"].items())
        + f"; {data['cells_finished']} of {data['cells_wanted']} cells. How to read it: benchmarks/privacy/README.md. "
        "Ranges in brackets are over seeds. `!`: the method keeps PA 0.99 on the validation images at no strength.",
    ]
    for network, cut in places(rows):
        here = [row for row in rows if (row["network"], row["cut"]) == (network, cut)]
        lines += ["", f"## {network}, {cut}", "", "| method | seeds | PA | " + " | ".join(c[0] for c in COLUMNS) + " |"]
        lines += ["|---" * (len(COLUMNS) + 3) + "|"]
        for method in methods(here):
            mine = [row for row in here if row["method"] == method]
            kept = "" if all(row["PA_met"] for row in mine) else " !"
            first = [row for row in mine if row["attack"] == "attribute" and row["observations"] == 1]
            cells = [told(figures(mine, field, attack=attack, observations=n)) for _, attack, n, field in COLUMNS]
            seeds = len({row["seed"] for row in mine})
            lines.append(f"| {method}{kept} | {seeds} | {told(figures(first, 'PA'), 3)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def summary(rows: list[Row]) -> str:
    """README's table: per method and place, PI of slant / SSIM of the decoder."""
    lines = ["| method | " + " | ".join(f"{network} {cut}" for network, cut in places(rows)) + " |"]
    lines += ["|---" * (len(places(rows)) + 1) + "|"]
    for method in methods(rows):
        cells = []
        for network, cut in places(rows):
            mine = [row for row in rows if (row["network"], row["cut"], row["method"]) == (network, cut, method)]
            kept = "" if all(row["PA_met"] for row in mine) else " !"
            slant = figures(mine, "PI_mean", attack="attribute", observations=1)
            ssim = figures(mine, "SSIM", attack="residual_decoder", observations=1)
            cells.append(
                "-" if not slant or not ssim else f"{statistics.fmean(slant):.2f} / {statistics.fmean(ssim):.2f}{kept}"
            )
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
