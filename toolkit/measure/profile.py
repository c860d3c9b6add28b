"""Where a head's time goes, operator by operator, as the runtime's own profiler reports it.

`Converter.profile` asks it; a target that does not override it has no profiler that its Python package opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from converters.base import Converter

from .. import plugins
from ..records.latency import OperatorRow
from .process import HeadProcess

if TYPE_CHECKING:
    from .head_file import HeadFile

RUNS = 10
SLOWEST = 10


def can_profile(target: str) -> bool:
    """Whether there is a profiler for this target's runtime."""
    kind = plugins.target(target)
    return kind.profile is not Converter.profile


def slowest_operators(head: HeadFile, inputs: Path) -> list[OperatorRow]:
    """Profile a head in a process of its own and return its ten slowest operators, slowest first."""
    if not can_profile(head.target):
        return []
    with HeadProcess(head.label(1), head.target, head.entry, 1) as process:
        process.begin(inputs)
        process.ready()
        operators = process.profile(RUNS)
    return rank(head.target, head.precision, operators)


def rank(target: str, precision: str, operators: Mapping[str, tuple[int, float]]) -> list[OperatorRow]:
    """Turn {operator: (calls, total ms)} of one run into rows with shares, the slowest ten."""
    whole = sum(ms for _, ms in operators.values()) or 1.0
    slowest = sorted(operators.items(), key=lambda item: -item[1][1])[:SLOWEST]
    return [
        OperatorRow(target=target, precision=precision, operator=name, calls=calls, total_ms=ms, share=ms / whole)
        for name, (calls, ms) in slowest
    ]
