"""What a user chooses for `pripro measure`: [measure] of a deploy.toml, and how long to measure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..errors import InputError
from ..records.settings import Settings
from .timing import Effort

#: what MLPerf Mobile asks for: at least 1,024 samples and 60 s
FULL_SAMPLES, FULL_SECONDS = 1024, 60.0
#: per head: no phone and few hosts have as many cores, and thousands of threads only wait for each other
MOST_THREADS = 256
QUICK_SAMPLES, QUICK_SECONDS, QUICK_LIMIT_S = 10, 0.3, 8.0


class MeasureSettings(Settings):
    """How heads are timed.

    Attributes:
        threads: thread counts to time each head with.
        quick: a few runs only: a look, not a result.
    """

    threads: Annotated[list[Annotated[int, Field(ge=1, le=MOST_THREADS)]], Field(min_length=1)] = Field(
        default_factory=lambda: [1]
    )
    quick: bool = False


def effort_of(samples: int = 50, seconds: float = 5.0, *, quick: bool = False, full: bool = False) -> Effort:
    """Say how long to measure.

    Raises:
        InputError: both quick and full.
    """
    if quick and full:
        raise InputError("--quick and --full contradict each other; give one of them.")
    if quick:
        return Effort(QUICK_SAMPLES, QUICK_SECONDS, QUICK_LIMIT_S)
    return Effort(FULL_SAMPLES, FULL_SECONDS) if full else Effort(samples, seconds)
