"""Programs that time a target's files on a phone: what they are called, what they are given, what they print."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Summary:
    """Distribution of one subject's times in ms; fields are named as in `LatencyRow`.

    Attributes:
        p90_ms, p99_ms: upper bounds of them where a program printed so, see `PhoneRunner.bounds`.
    """

    n: int
    mean_ms: float
    std_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Printed:
    """What one launch printed, in ms; None where it does not print it.

    Attributes:
        samples_ms: one a run, without the first run and the warm-ups.
        spread: of the runs, where the program prints no samples.
    """

    load_ms: float | None
    first_run_ms: float | None
    samples_ms: tuple[float, ...] = ()
    spread: Summary | None = None


class PhoneRunner(ABC):
    """A program of the format's vendor, built for the phone, which `pripro measure --device` is given."""

    #: stands in its file name, and tells which target's heads it takes
    program: ClassVar[str]
    #: whose, and from which version on it prints what is needed
    title: ClassVar[str]
    #: what a reader must know of its figures, or ""
    bounds: ClassVar[str] = ""

    @abstractmethod
    def arguments(self, head: str, inputs: Sequence[str], *, threads: int, warmups: int, runs: int) -> list[str]:
        """Arguments that run a head once, then `warmups` times, then `runs` times.

        Args:
            head: path of the file on the phone.
            inputs: paths of raw little-endian float32, in the order of the file's inputs.
            threads: intra-op threads.
            warmups: runs that are not counted.
            runs: runs that are.
        """

    @abstractmethod
    def read(self, text: str, warmups: int) -> Printed | None:
        """Read what it printed; None where the figures are not in it."""
