"""A plan as tables for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from ..planning.records import PlanReport, PlanRow


def print_plan(report: PlanReport) -> None:
    """Print options, switch-over points, recommendations and assumptions on stdout."""
    console = Console()
    where = f"trace {report.trace}" if report.trace else f"{report.bandwidth_mbps:g} Mbps"
    console.print(
        f"{report.network}, {report.protection}, heads {report.target} {report.precision}, {report.threads} thread(s), "
        f"{report.encoding} on the wire, {where}, round trip {report.rtt_ms:g} ms",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("option")
    for name in ("head ms", "network", "tail", "total ms", "KB", *_extras(report.rows), "front"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report.rows:
        table.add_row(*_cells(row, _extras(report.rows)))
    console.print(table)
    console.print(
        f"~ predicted from {len(report.measured_cuts)} measured cuts; left out in turn, these were missed by "
        f"{report.head_error_median_share:.0%} (median), {report.head_error_worst_share:.0%} (worst)",
        highlight=False,
    )
    for crossing in report.crossings:
        console.print(f"at {crossing.bandwidth_mbps:.3g} Mbps: {crossing.below} -> {crossing.above}", highlight=False)
    if not report.crossings:
        console.print("the fastest option is the same from 0.1 to 1,000 Mbps", highlight=False)
    for item in report.recommendations:
        console.print(f"[bold]{item.goal}[/bold]: {item.option} {item.name}: {item.why}", highlight=False)
    for line in report.assumptions:
        console.print(f"assumed: {line}", style="dim", highlight=False)


def _extras(rows: list[PlanRow]) -> list[str]:
    fields = {"p90": "total_p90_ms", "mJ": "energy_mj", "PI": "pi", "dCor": "distance_correlation"}
    return [name for name, field in fields.items() if any(getattr(row, field) is not None for row in rows)]


def _cells(row: PlanRow, extras: list[str]) -> list[str]:
    values = {"p90": row.total_p90_ms, "mJ": row.energy_mj, "PI": row.pi, "dCor": row.distance_correlation}
    name = row.name if row.option == "split" else f"{row.option}: {row.name}"
    mark = "~" if row.head_source == "predicted" else ""
    texts = ["" if (value := values[extra]) is None else f"{value:.3g}" for extra in extras]
    return [
        name, f"{mark}{row.head_ms:.1f}", f"{row.network_ms:.1f}", f"{row.tail_ms:.1f}", f"{row.total_ms:.1f}",
        f"{row.bytes_sent / 1e3:.1f}", *texts, "*" if row.on_pareto_front else "",
    ]  # fmt: skip
