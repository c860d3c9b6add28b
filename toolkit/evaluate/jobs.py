"""The attacks of an evaluation one by one, and in which order they begin where several run side by side."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .attacking import attack_class

Base = tuple[str, int | None, str]


@dataclass(frozen=True)
class Job:
    """One attack on one victim.

    Attributes:
        who: the victim's name among this bundle's.
        attack: name.
        task: the attacker's, by name; None for reconstruction.
        looks: messages of each photo.
        photos: of the attacker, at most; None: all it has.
    """

    who: str
    attack: str
    task: str | None = None
    looks: int = 1
    photos: int | None = None

    @property
    def text(self) -> str:
        """For a progress line."""
        return f"{self.who}: {self.attack}" + (f", {self.looks} messages" if self.looks > 1 else "")

    @property
    def base(self) -> Base | None:
        """The training that this attack starts from, or leaves for others; None for attributes, which start anew."""
        if self.task is not None:
            return None
        return self.who, self.photos, attack_class(self.attack).builds_on or self.attack


class Order:
    """Begins what most work waits for; one attack alone trains what others start from, and they wait for it."""

    def __init__(self, jobs: Iterable[Job], seconds: Mapping[Job, float]) -> None:
        self._waiting = list(jobs)
        self._seconds = seconds
        self._there: set[Base] = set()
        self._under_way: set[Base] = set()

    def begin(self) -> Job | None:
        """The job to begin now; None where all that wait have to wait."""
        able = [job for job in self._waiting if self._may(job)]
        if not able:
            return None
        job = max(able, key=self._until_the_end)
        self._waiting.remove(job)
        if job.base is not None and job.base not in self._there:
            self._under_way.add(job.base)
        return job

    def done(self, job: Job) -> None:
        """Say that a job has ended: what it left is there."""
        if job.base is not None:
            self._under_way.discard(job.base)
            self._there.add(job.base)

    def _may(self, job: Job) -> bool:
        if job.base is None or job.base in self._there:
            return True
        first = next(one for one in self._waiting if one.base == job.base)
        return job.base not in self._under_way and job is first

    def _until_the_end(self, job: Job) -> float:
        """Seconds of the job, and of the longest one that may only begin after it."""
        after: list[float] = []
        if job.base is not None and job.base not in self._there:
            after = [self._seconds[one] for one in self._waiting if one is not job and one.base == job.base]
        return self._seconds[job] + max(after, default=0.0)


def makespan(jobs: Iterable[Job], seconds: Mapping[Job, float], workers: int) -> float:
    """Seconds from the first beginning to the last end, `workers` jobs at a time; with one worker, their sum."""
    order, now, running = Order(jobs, seconds), 0.0, list[tuple[float, int, Job]]()
    begun = 0
    while True:
        while len(running) < workers and (job := order.begin()) is not None:
            begun += 1
            heapq.heappush(running, (now + seconds[job], begun, job))
        if not running:
            return now
        now, _, job = heapq.heappop(running)
        order.done(job)


def shares(jobs: Iterable[Job], processes: int) -> list[list[Job]]:
    """Divide jobs among processes that do not talk to each other: those of one base stay together, most work first.

    Every process finds the same division, so it rests on `Attack.work` and not on measured times.
    """
    groups: dict[object, list[Job]] = {}
    for job in dict.fromkeys(jobs):
        groups.setdefault(job if job.base is None else job.base, []).append(job)
    found: list[list[Job]] = [[] for _ in range(processes)]
    loads = [0.0] * processes
    for group in sorted(groups.values(), key=_work, reverse=True):
        least = loads.index(min(loads))
        found[least] += group
        loads[least] += _work(group)
    return found


def _work(jobs: list[Job]) -> float:
    return sum(1.0 + sum(attack_class(job.attack).work.values()) for job in jobs)
