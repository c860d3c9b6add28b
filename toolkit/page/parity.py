"""Numeric parity as a table: what each converted head computes, compared with eager torch."""

from __future__ import annotations

from typing import Any

from ..bundle import Bundle
from .page import table


def section(reports: list[dict[str, Any]], bundle: Bundle) -> str:
    """Draw the newest parity report."""
    newest = reports[-1]
    rows = [
        [
            f"{row['target']} {row['precision']} {row['backend']}",
            str(row["where"]),
            {True: "passed", False: "FAILED", None: "not run"}[row["passed"]],
            _number(row["max_abs"], "{:.2e}"),
            _number(row["sqnr_db"], "{:.1f}"),
            _number(row["top1_agree"], "{:.0%}"),
            str(row["tolerance"]),
            str(row["runtime"]),
            str(row.get("note", "")),
        ]
        for row in newest["rows"]
    ]
    verdict = "All heads passed." if newest["passed"] else "<span class=bad>Not all heads passed.</span>"
    columns = ["head", "compared", "result", "max abs", "SQNR dB", "top-1 agrees", "tolerance", "runtime", "note"]
    basis = "Compared with eager torch on the bundle's golden inputs."
    return f"<h2>Parity</h2><p>{verdict} {basis}</p>{table(columns, rows)}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
