"""A head's answers to the goldens, judged in numbers and in noise, wherever they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .diagnose import diagnose
from .numeric import numeric_rows
from .privacy import noise_row

if TYPE_CHECKING:
    from converters.base import Runner

    from ..bundle import Bundle
    from ..reports import ParityRow
    from .replay import Array, Goldens
    from .rows import Subject


def judge(
    bundle: Bundle, subject: Subject, goldens: Goldens, got: Array, runner: Runner | None = None
) -> list[ParityRow]:
    """Judge answers [n,c,h,w] to these goldens; with a runner at hand, name the fault of those that fail."""
    tolerances = bundle.manifest.golden.tolerances if bundle.manifest.golden else {}
    name = (lambda: "") if runner is None else (lambda: diagnose(runner.run, goldens, got))
    rows = numeric_rows(subject, goldens, got, tolerances, name)
    return [*rows, noise_row(subject, goldens, got)] if goldens.noisy else rows
