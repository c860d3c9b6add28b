"""How work reports its progress: one signature for every stage, bar and log."""

from __future__ import annotations

from collections.abc import Callable

#: called with (done, total, one line of text); done / total is the share
Progress = Callable[[float, float, str], None]


def quiet(done: float, total: float, text: str) -> None:
    """Report to nobody."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Map a part's own progress into the range from `start` to `end` of the whole, both shares."""
    return lambda done, total, text: progress(start + (end - start) * done / max(total, 1e-9), 1.0, text)
