"""Work shared among processes that torchrun started: each does its share, and what is done lies in files for all.

Attacks and cells do not talk to each other while they run, so no process group is needed: a process waits for the
files of the others. Where one fails, torchrun ends them all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Work = TypeVar("Work")
_LOOK = 0.5


@dataclass(frozen=True)
class Ranks:
    """One process's place among all.

    Attributes:
        rank: of this process; the first, 0, shows the result.
        processes: how many there are.
    """

    rank: int = 0
    processes: int = 1

    @property
    def first(self) -> bool:
        """Whether this process shows the result."""
        return self.rank == 0

    def own(self, work: Sequence[Work]) -> Sequence[Work]:
        """This process's share."""
        return work[self.rank :: self.processes]

    def wait(self, missing: Callable[[], int], tell: Callable[[int], None] = lambda left: None) -> None:
        """Go on when nothing is missing any more.

        Args:
            missing: how many results are not there yet.
            tell: called with that number now and then.
        """
        while self.processes > 1 and (left := missing()):
            tell(left)
            time.sleep(_LOOK)


ALONE = Ranks()


def ranks() -> Ranks:
    """What torchrun says; one process alone without it."""
    return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
