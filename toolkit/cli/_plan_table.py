"""A plan as tables for people."""

from __future__ import annotations

from ..records.plan import PlanReport, PlanRow
from ._console import say, show_table


def print_plan(report: PlanReport) -> None:
    """Print options, switch-over points and recommendations on stdout, assumptions on stderr."""
    where = f"trace {report.trace}" if report.trace else f"{report.bandwidth_mbps:g} Mbps"
    title = (
        f"{report.network}, {report.protection}, heads {report.target} {report.precision}, {report.threads} thread(s), "
        f"{report.encoding} on the wire, {where}, round trip {report.rtt_ms:g} ms"
    )
    extras = _extras(report.rows)
    columns = [
        "option",
        ">head ms",
        ">network",
        ">tail",
        ">total ms",
        ">kB",
        *(f">{name}" for name in extras),
        ">front",
    ]
    show_table(columns, [_cells(row, extras) for row in report.rows], title)
    for crossings, title in (
        (report.crossings, "Where the fastest option changes, 0.1 to 1,000 Mbps"),
        (report.private_crossings, "The same if the photo stays on the phone"),
    ):
        show_table(
            [">at Mbps", "fastest below", "fastest above"],
            [(f"{item.bandwidth_mbps:.3g}", item.below, item.above) for item in crossings],
            title,
        )
    show_table(
        ["goal", "choose", "why"],
        [(item.goal, f"{item.option} {item.name}", item.why) for item in report.recommendations],
    )
    say(
        f"~ predicted from {len(report.measured_cuts)} measured cuts; left out in turn, these were missed by "
        f"{report.head_error_median_share:.0%} (median), {report.head_error_worst_share:.0%} (worst)"
    )
    for line in report.assumptions:
        say(f"assumed: {line}")


def _extras(rows: list[PlanRow]) -> list[str]:
    fields = {"p90": "total_p90_ms", "mJ": "energy_mj", "PI": "pi", "dCor": "distance_correlation"}
    return [name for name, field in fields.items() if any(getattr(row, field) is not None for row in rows)]


def _cells(row: PlanRow, extras: list[str]) -> list[str]:
    values = {"p90": row.total_p90_ms, "mJ": row.energy_mj, "PI": row.pi, "dCor": row.distance_correlation}
    name = row.name if row.option == "split" else f"{row.option}: {row.name}"
    mark = "~" if row.head_source == "predicted" else ""
    texts = ["" if (value := values[extra]) is None else f"{value:.3g}" for extra in extras]
    times = [f"{ms:.1f}" for ms in (row.network_ms, row.tail_ms, row.total_ms)]
    kilobytes = f"{row.bytes_sent / 1e3:.1f}"
    return [name, f"{mark}{row.head_ms:.1f}", *times, kilobytes, *texts, "*" if row.on_pareto_front else ""]
