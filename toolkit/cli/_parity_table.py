"""The parity table, at most 110 columns wide, and the table of layers behind a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._console import say, show_json, show_table

if TYPE_CHECKING:
    from ..records.parity import ParityReport, ParityRow
    from ..verify.explain import Explanation

_VERDICTS = {True: "pass", False: "FAIL", None: "not run"}
_HEAD, _OPERATOR = 37, 30


def show(report: ParityReport, as_json: bool) -> None:
    """Print the report: the table, then every note of a row that is no pass, in full."""
    if as_json:
        show_json(report.model_dump())
        return
    rows = [
        (
            _who(row)[:_HEAD],
            row.where,
            "" if row.max_abs is None else f"{row.max_abs:.2g}",
            "" if row.sqnr_db is None else f"{row.sqnr_db:.1f}",
            _top1(row),
            row.tolerance,
            _VERDICTS[row.passed],
        )
        for row in report.rows
    ]
    show_table(("head", "where", ">max_abs", ">SQNR dB", "top-1 (95 %)", "tolerance", "verdict"), rows)
    if any("*" in _who(row) for row in report.rows):
        say("* Core ML's file in this project's reference evaluator; Core ML itself runs on Apple devices only.")
    for row in report.rows:
        if row.note and not row.passed:
            say(f"{_VERDICTS[row.passed]}: {_who(row)}, {row.where}: {row.note}")


def _who(row: ParityRow) -> str:
    from ..verify.rows import EVALUATOR

    name = " ".join(part for part in (row.target, row.precision) if part)
    if row.runtime == EVALUATOR:
        return f"{name} *"
    return name if row.runtime in (row.target, "none") else f"{name}, {row.runtime.removeprefix(row.target).strip()}"


def _top1(row: ParityRow) -> str:
    if row.top1_agree is None or row.top1_agree_interval is None:
        return ""
    low, high = row.top1_agree_interval
    return f"{row.top1_agree:.0%} ({low:.0%}-{high:.0%})"


def show_explanation(found: Explanation) -> None:
    """Print eager torch beside the target, layer by layer."""
    rows = [
        (
            layer.module,
            layer.operator if len(layer.operator) <= _OPERATOR else f"{layer.operator[: _OPERATOR - 3]}...",
            f"{layer.eager_rms:.3g}",
            f"{layer.target_rms:.3g}",
            f"{layer.max_abs:.2g}",
            "same" if layer.max_abs == 0.0 else f"{layer.sqnr_db:.1f}",
            "DEPARTS" if layer.departs else "",
        )
        for layer in found.layers
    ]
    title = f"{found.target} {found.precision}, golden row: {found.row}"
    show_table(("layer", "operator", ">eager rms", ">target rms", ">max_abs", ">SQNR dB", ""), rows, title)
    say(f"{title}: {found.first}")
