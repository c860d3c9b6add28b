"""A waist's codes against eager torch's: few and coarse, and all that anybody ever sees of the features.

Distances between features say little where a code is one step of seven, so what is counted is how many codes are the
same: over all photos, in the weakest channel, and for each hard input. An error of e steps moves about the share e of
the codes over a border, so noise of the wrong strength, or in the wrong places, shows here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..package import limits
from ..package.cases import IMAGES
from .compare import max_abs
from .privacy import noise_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records.parity import ParityRow
    from .codes import Codes
    from .replay import Array, Goldens
    from .rows import Subject

#: how much lower the weakest channel, and a hard input, may be
_LOCAL, _HARD = 0.1, 0.1


def coarse_rows(
    subject: Subject, goldens: Goldens, answers: Array, codes: Codes, name_fault: Callable[[], str]
) -> list[ParityRow]:
    """Judge codes [n,c,h,w] in numbers and in noise.

    Args:
        subject: what answered.
        goldens: with eager torch's features, cut to the codes' range.
        answers: codes for every golden row.
        codes: of the head.
        name_fault: asked for a diagnosis when photos fail.
    """
    expected, got = codes.of_features(goldens.smashed), codes.to_send(answers)
    same = expected == got
    rows = [_photos(subject, same[goldens.real()], expected, got, name_fault)]
    if goldens.hard():
        steps = 1.0 - limits.least_code_agreement(subject.precision)
        rows.append(_hard(subject, goldens, codes.within(goldens.smashed, got, steps)))
    if goldens.noisy:
        rows.append(noise_row(subject, codes.rounded(goldens), codes.features(answers), local=False))
    return rows


def _photos(subject: Subject, same: Array, expected: Array, got: Array, name_fault: Callable[[], str]) -> ParityRow:
    least = limits.least_code_agreement(subject.precision)
    share, weakest = float(same.mean()), float(same.mean((0, 2, 3)).min())
    passed = share >= least and weakest >= least - _LOCAL
    found = f"{share:.2%} of the codes are the same, {weakest:.2%} in the weakest channel"
    return subject.row(
        "head",
        "numeric",
        f"same codes >= {least:.1%}",
        passed,
        n=len(same),
        max_abs=max_abs(expected[: len(same)], got[: len(same)]),
        note=found if passed else f"{found}; {name_fault()}".rstrip("; "),
    )


def _hard(subject: Subject, goldens: Goldens, same: Array) -> ParityRow:
    """Each row by itself; int8 clips images that it was not calibrated for, and rightly so.

    Where all values of a hard input lie close to one border, as idle channels do at eps = 6, a small error moves all of
    them over it together. So here a code counts as the same that belongs to a value as far away as photos may be off.
    """
    least = limits.least_code_agreement(subject.precision) - _HARD
    shares = {
        index: float(same[index].mean())
        for index in goldens.hard()
        if not (subject.precision == "int8" and goldens.rows[index] in IMAGES)
    }
    failed = [f"{goldens.rows[index]}: {share:.1%}" for index, share in shares.items() if share < least]
    return subject.row(
        "hard inputs", "numeric", f"same codes >= {least:.1%}", not failed, n=len(shares), note="; ".join(failed)
    )
