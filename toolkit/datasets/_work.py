"""Work on many photos in worker processes, in order, with a few chunks under way and never more."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cloud_tail.cores import usable_cores

from ..errors import InputError
from .base import Chunk

if TYPE_CHECKING:
    from concurrent.futures import Future

Made = TypeVar("Made")

#: fewer photos than this are done before a worker process has started
_WORTH_IT = 1024
_MOST_WORKERS = 16
#: chunks under way per worker
_AHEAD = 3
#: a worker's one task
_task: Callable[[Chunk], Any] | None = None


def worker_count(photos: int) -> int:
    """How many worker processes pay off for this many photos; 0: do them here. PRIPRO_WORKERS overrules it."""
    said = os.environ.get("PRIPRO_WORKERS", "")
    if said.isdecimal():
        return int(said)
    if photos < _WORTH_IT:
        return 0
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun: processes that share these cores
    return max(1, min(usable_cores() // beside, _MOST_WORKERS))


def mapped(task: Callable[[Chunk], Made], chunks: Sequence[Chunk], workers: int) -> Iterator[Made]:
    """Yield task(chunk) for every chunk, in order.

    Workers are started anew, not forked: this process has threads and perhaps a GPU. They import what the task's
    module does, so tasks live in modules without torch.

    Args:
        task: pickles, as do its results.
        chunks: indices of photos.
        workers: processes; 0 works in this one.

    Raises:
        InputError: a task failed, in that task's own words, or a worker was killed.
    """
    if workers == 0 or len(chunks) < 2:
        yield from map(task, chunks)
        return
    from loky import ProcessPoolExecutor
    from loky.process_executor import TerminatedWorkerError

    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(chunks)), initializer=_begin, initargs=(task,), env={"OMP_NUM_THREADS": "1"}
    )
    waiting: deque[Future[Made]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_work, chunk))
            if len(waiting) >= workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except TerminatedWorkerError:
        raise InputError(
            "A process that decodes photos was ended from outside, most likely because memory ran out; "
            "use fewer of them, such as PRIPRO_WORKERS=1."
        ) from None
    finally:
        pool.shutdown(kill_workers=True)


def _begin(task: Callable[[Chunk], Any]) -> None:
    global _task  # a process of its own, where it is set once
    _task = task


def _work(chunk: Chunk) -> Any:  # noqa: ANN401 (whatever the task makes)
    if _task is None:
        raise TypeError("a worker was given work before its task")
    return _task(chunk)
