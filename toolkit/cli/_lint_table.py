"""The table of heads and backends, then each finding once, with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._console import say, show_json, show_table

if TYPE_CHECKING:
    from ..records.lint import LintReport, LintRow


def show(report: LintReport, as_json: bool) -> None:
    """Print the report; what was refused comes last."""
    if as_json:
        show_json(report.model_dump())
    else:
        columns = ("head", "backend", ">taken", ">partitions", "falls back", "known wrong", "slow", "by")
        show_table(columns, [_cells(row) for row in report.rows])
        _say_findings(report)
    for sentence in report.refused:
        say(f"refused: {sentence}")


def _cells(row: LintRow) -> tuple[str, ...]:
    head = f"{row.target} {row.precision}"
    if row.how == "not run":
        return (head, row.title, "", "", "", "", "", "not run")
    taken = f"{row.ops_taken} of {row.ops_total}"
    return (head, row.title, taken, str(row.partitions), *(_kinds(row, each) for each in
            ("fallback", "known-wrong", "slow")), row.how)  # fmt: skip


def _kinds(row: LintRow, consequence: str) -> str:
    found = [finding for finding in row.findings if finding.consequence == consequence]
    return ", ".join(f"{each.operator} x {each.count}" if each.count > 1 else each.operator for each in found)


def _say_findings(report: LintReport) -> None:
    told = set[tuple[str, str, str]]()
    for row in report.rows:
        if row.how == "not run":
            say(f"not run: {row.target} {row.precision} on {row.title}: {row.note}")
        for each in row.findings:
            key = (row.backend, each.rule, each.operator)
            if key not in told:
                told.add(key)
                place = f"{each.operator} ({each.shapes})" if each.shapes else each.operator
                say(f"{each.consequence}: {row.title}: {place}: {each.sentence} [{each.source}]")
