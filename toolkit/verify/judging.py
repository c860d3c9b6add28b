"""A head's answers to the goldens, judged in numbers and in noise, wherever they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .coarse import coarse_rows
from .codes import PAST_ROUNDING
from .diagnose import diagnose
from .numeric import numeric_rows
from .privacy import noise_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bundle import Bundle
    from ..records.parity import ParityRow
    from .codes import Codes
    from .replay import Array, Goldens
    from .rows import Subject


def judge(
    bundle: Bundle,
    subject: Subject,
    goldens: Goldens,
    answers: Array,
    run: Callable[[dict[str, Array]], Array] | None = None,
    codes: Codes | None = None,
) -> list[ParityRow]:
    """Judge a head's answers [n,c,h,w] to these goldens.

    Args:
        bundle: whose tolerances count.
        subject: what answered.
        goldens: inputs and eager torch's answers.
        answers: features, or codes.
        run: the head, to name the fault of answers that fail by experiment.
        codes: of a head that emits codes.
    """
    tolerances = bundle.manifest.golden.tolerances if bundle.manifest.golden else {}
    goldens = goldens if codes is None else codes.cut(goldens)
    got = answers if codes is None else codes.features(answers)
    near = got if codes is None else codes.without_rounding(goldens.smashed, got)

    def name_fault() -> str:
        if run is None:
            return ""
        return diagnose(run if codes is None else lambda feed: codes.features(run(feed)), goldens, got)

    if codes is not None and codes.levels is not None:
        return coarse_rows(subject, goldens, answers, codes, name_fault)
    rows = numeric_rows(subject, goldens, near, tolerances, name_fault)
    if codes is not None:
        rows = [row.model_copy(update={"tolerance": row.tolerance + PAST_ROUNDING}) for row in rows]
    return [*rows, noise_row(subject, goldens, got)] if goldens.noisy else rows
