"""Do the numbers match eager torch's? One row for photos, one for hard inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..package import limits
from .compare import cosine, max_abs, sqnr_db

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..records.parity import ParityRow
    from .replay import Array, Goldens
    from .rows import Subject


_HARD_TEXT = {"fp32": "max_abs <= {largest:.2g}", "int8": "finite; eps: {least:g} dB"}
#: features that are nearly zero have no meaningful SQNR
_NOTHING = 1e-4


def numeric_rows(
    subject: Subject,
    goldens: Goldens,
    got: Array,
    tolerances: Mapping[str, float],
    name_fault: Callable[[], str] = lambda: "",
) -> list[ParityRow]:
    """Compare answers to the golden rows.

    Args:
        subject: what answered.
        goldens: inputs and eager torch's answers.
        got: smashed features [n,c,h,w] for every golden row.
        tolerances: the bundle's own, by precision.
        name_fault: asked for a diagnosis when photos fail.
    """
    rows = [_photos(subject, goldens, got, goldens.real(), tolerances, name_fault)]
    if goldens.hard():
        rows.append(_hard(subject, goldens, got, tolerances))
    return rows


def _photos(
    subject: Subject,
    goldens: Goldens,
    got: Array,
    real: Sequence[int],
    tolerances: Mapping[str, float],
    name_fault: Callable[[], str],
) -> ParityRow:
    expected, mine = goldens.smashed[real], got[real]
    worst, sqnr = max_abs(expected, mine), sqnr_db(expected, mine)
    tolerance = limits.tolerance_of(tolerances, subject.precision)
    if subject.precision == "fp32":
        allowed = limits.largest_difference(tolerance, expected)
        text, passed = f"max_abs <= {allowed:.2g}", worst <= allowed
    else:
        text, passed = f"SQNR >= {tolerance:g} dB", sqnr >= tolerance
    return subject.row(
        "head",
        "numeric",
        text,
        passed,
        n=len(real),
        max_abs=worst,
        sqnr_db=sqnr,
        cosine=cosine(expected, mine),
        note="" if passed else name_fault(),
    )


def _hard(subject: Subject, goldens: Goldens, got: Array, tolerances: Mapping[str, float]) -> ParityRow:
    """Judge each row by itself: one that fails must not be lost among the others."""
    tolerance = limits.tolerance_of(tolerances, subject.precision)
    failed: list[str] = []
    sqnrs, differences = [], []
    for index in goldens.hard():
        expected, mine = goldens.smashed[index], got[index]
        worst, sqnr = max_abs(expected, mine), sqnr_db(expected, mine)
        if subject.precision == "fp32":
            passed = worst <= limits.largest_difference_on_hard_inputs(tolerance, expected)
        else:
            floor = limits.least_sqnr_on_hard_inputs(subject.precision, tolerance, goldens.rows[index])
            passed = math.isfinite(worst) and (sqnr >= floor or worst <= _NOTHING)
        if not passed:
            far = f"max_abs {worst:.2g}, SQNR {sqnr:.1f} dB" if math.isfinite(worst) else "the answer is not finite"
            failed.append(f"{goldens.rows[index]}: {far}")
        sqnrs.append(sqnr)
        differences.append(worst)
    hard = goldens.hard()
    largest = limits.largest_difference_on_hard_inputs(tolerance, goldens.smashed[hard])
    least = limits.least_sqnr_on_hard_inputs(subject.precision, tolerance, "")
    return subject.row(
        "hard inputs",
        "numeric",
        _HARD_TEXT.get(subject.precision, "SQNR >= {least:g} dB").format(largest=largest, least=least),
        not failed,
        n=len(hard),
        max_abs=max(differences),
        sqnr_db=min(sqnrs),
        cosine=cosine(goldens.smashed[hard], got[hard]),
        note="; ".join(failed),
    )
