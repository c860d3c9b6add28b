"""Attacks side by side in processes of their own: on a CPU, one attacker's training keeps one core busy and no more.

Worker processes are started anew, not forked, and map photos and features that this process computed once. They put
outcomes into the cache, where this process then finds them as if it had made them itself; so figures do not depend on
how many workers there are. An attack that fails ends all, in its own words; what had finished is kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from ..errors import InputError
from .jobs import Base, Job, Order
from .outcome_cache import OutcomeCache
from .running import Run, Shared
from .tasks import LINKING
from .worker import TENSORS, Chosen, Commission, Place, attack, features_name, steps, watch

if TYPE_CHECKING:
    from concurrent.futures import Future

    from loky import ProcessPoolExecutor

Made = TypeVar("Made")

#: seconds; attacks that take less are over before workers have started and opened the bundle
_WORTH_IT = 60.0
#: no evaluation has more long attacks that do not wait for each other, and each worker needs memory
_MOST_WORKERS = 8
#: bytes; loky starts a worker anew that has grown by 300 MB, and counts what is mapped: photos and features
_NO_LEAK = "1e15"
#: seconds between two looks at how far workers are
_LOOK = 0.25


def worker_count(run: Run, seconds: float) -> int:
    """How many attacks to run at a time, given what they take one by one; PRIPRO_WORKERS overrules it."""
    if run.setting.device.type != "cpu":
        return 1
    said = os.environ.get("PRIPRO_WORKERS", "")
    if said.isdecimal():
        return max(int(said), 1)
    return min(torch.get_num_threads(), _MOST_WORKERS) if seconds > _WORTH_IT else 1


@contextlib.contextmanager
def side_by_side(run: Run, count: int) -> Iterator[Workers]:
    """Start workers for a run; they end with the block, whatever they are at."""
    from loky import ProcessPoolExecutor

    threads = max(torch.get_num_threads() // count, 1)
    with tempfile.TemporaryDirectory(prefix="pripro-evaluate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if not run.cache.keep:  # where outcomes are handed over, then
            run.cache = OutcomeCache(folder / "outcomes", beside=run.cache.folder)
        place = Place(run.bundle.root.resolve(), folder, run.cache.folder.resolve(), threads)
        setting = run.setting
        for what in TENSORS:
            np.save(folder / f"{what}.npy", getattr(setting, what).numpy())
        env = {"OMP_NUM_THREADS": str(threads), "LOKY_MAX_MEMORY_LEAK_SIZE": _NO_LEAK}
        pool = ProcessPoolExecutor(max_workers=count, initializer=watch, initargs=(os.getpid(), folder), env=env)
        try:
            yield Workers(run, count, place, pool)
        except BaseException:
            pool.shutdown(kill_workers=True)
            raise
        pool.shutdown()


class Workers:
    """Processes that carry out a run's attacks."""

    def __init__(self, run: Run, count: int, place: Place, pool: ProcessPoolExecutor) -> None:
        self.count = count
        self._run, self._place, self._pool = run, place, pool
        self._chosen = Chosen(run.settings, tuple(run.tasks), run.setting.budget)
        self._shared: dict[Base, Shared] = {}
        self._filed = False
        self._started = False

    def steps(self) -> dict[str, float]:
        """Seconds of what attacks consist of, while every worker is at it: they share caches and memory."""
        asked = [self._submit(steps, self._place, self._chosen) for _ in range(self.count)]
        found = [_answer(one) for one in asked]
        return {name: sum(one[name] for one in found) / len(found) for name in found[0]}

    def carry_out(self, jobs: Collection[Job]) -> None:
        """Put the outcome of each job into the run's cache, the work that most waits for first.

        Raises:
            InputError: an attack's own, or a worker was ended from outside.
        """
        run = self._run
        waiting = [job for job in jobs if run.cache.find(run.key(job)) is None]
        if not waiting:
            return
        self._file(waiting)
        order = Order(waiting, {job: run.cost(job) for job in waiting})
        shares = np.memmap(self._place.folder / "progress", dtype=np.float64, mode="w+", shape=(len(waiting),))
        under_way: dict[Future[Shared], Job] = {}
        while True:
            while len(under_way) < self.count and (job := order.begin()) is not None:
                under_way[self._begin(job, waiting.index(job))] = job
            if not under_way:
                return
            ended, _ = wait(under_way, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for one in ended:
                job = under_way.pop(one)
                left = _answer(one)
                if job.base is not None:
                    self._shared.setdefault(job.base, {}).update(left)
                order.done(job)
                run.done += run.cost(job)
            so_far = sum(run.cost(job) * min(shares[waiting.index(job)], 1.0) for job in under_way.values())
            run.show(so_far, "; ".join(job.text for job in under_way.values()))

    def _begin(self, job: Job, number: int) -> Future[Shared]:
        run = self._run
        shared = {} if job.base is None else self._shared.get(job.base, {})
        given = Commission(job, run.key(job), run.draws(job.looks), number, shared)
        return self._submit(attack, self._place, self._chosen, given)

    def _file(self, jobs: Collection[Job]) -> None:
        """Compute what all workers share."""
        run, folder = self._run, self._place.folder
        if any(job.task == LINKING.name for job in jobs) and not (folder / "landmarks.npy").exists():
            run.show(0.0, "features of the attacker's photos")
            np.save(folder / "landmarks.npy", run.setting.landmarks.numpy())
        if not self._filed:
            self._filed = True
            for number, victim in enumerate(run.victims.values()):
                for name, images in (("attacker", run.setting.attacker), ("test", run.setting.test)):
                    victim.features.file(images, folder, features_name(number, name))

    def _submit(self, work: Callable[..., Made], *given: object) -> Future[Made]:
        with contextlib.nullcontext() if self._started else _no_interrupt():
            asked: Future[Made] = self._pool.submit(work, *given)  # the first one starts the processes
        self._started = True
        return asked


def _answer(asked: Future[Made]) -> Made:
    from loky.process_executor import TerminatedWorkerError

    try:
        return asked.result()
    except TerminatedWorkerError:
        raise InputError(
            "A process that attacks was ended from outside, most likely because memory ran out; "
            "run fewer of them at a time, such as PRIPRO_WORKERS=1. Finished attacks are kept where the bundle can be "
            "written to."
        ) from None


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes that are started meanwhile never see Ctrl-C: one amid an answer would leave the other half unsent.

    They inherit that it is blocked. To this process it comes at once, or when the block ends where it has one thread.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows: a worker ignores it itself as soon as it runs
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
