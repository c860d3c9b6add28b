"""What each backend leaves out, splits at or gets wrong: the newest lint report as two tables."""

from __future__ import annotations

from typing import Any

from ..bundle import Bundle
from .page import table


def section(reports: list[dict[str, Any]], bundle: Bundle) -> str:
    """Draw the newest lint report: a row per head and backend, then each finding once with its source."""
    newest = reports[-1]
    columns = ["head", "backend", "taken", "partitions", "findings", "decided by"]
    text = f"<h2>Lint</h2>{_verdict(newest)}{table(columns, [_cells(row) for row in newest['rows']])}"
    found = list(dict.fromkeys(_told(row, each) for row in newest["rows"] for each in row["findings"]))
    wide = ["finding", "backend", "operator", "what happens", "source"]
    return text + (table(wide, [list(each) for each in found], numbers_from=len(wide)) if found else "")


def _verdict(report: dict[str, Any]) -> str:
    if report["refused"]:
        return f"<p><span class=bad>Refused: {len(report['refused'])} of {len(report['rows'])} rows.</span></p>"
    asked = (
        f"Nothing is refused by {', '.join(report['fail_on'])}." if report["fail_on"] else "Nothing was to be refused."
    )
    return f"<p>{asked}</p>"


def _cells(row: dict[str, Any]) -> list[str]:
    head = f"{row['target']} {row['precision']}"
    if row["how"] == "not run":
        return [head, row["title"], "", "", row["note"], "not run"]
    findings = ", ".join(f"{each['consequence']}: {each['operator']} x {each['count']}" for each in row["findings"])
    taken = f"{row['ops_taken']} of {row['ops_total']}"
    return [head, row["title"], taken, str(row["partitions"]), findings or "none", row["how"]]


def _told(row: dict[str, Any], each: dict[str, Any]) -> tuple[str, ...]:
    # as text, without its scheme: the page itself reaches out to nothing
    source = each["source"].removeprefix("https://")
    return (each["consequence"], row["title"], each["operator"], each["sentence"], source)
