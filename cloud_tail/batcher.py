"""Zero-delay micro-batching: an inference thread takes what is queued, at most `max_batch` items, and runs it.

The queue is bounded in items; a call that does not fit is refused at once, so no backlog builds up.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from .errors import WireError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .calls import Call
    from .engine import Engine
    from .wire import Floats

    Answer = Floats | WireError | None
    Done = Callable[[Answer], None]


class Batcher:
    """Feeds one engine from one queue.

    Args:
        engine: the loaded model.
        max_batch: most items in one run.
        max_wait_ms: how long to wait for more items; 0 takes only what is queued.
        limit: most items that wait or run at a time.
        workers: inference threads.
        loop: the event loop on whose thread calls are submitted and answered.
        observe: called there after each run with its items and its seconds.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int,
        max_wait_ms: float,
        limit: int,
        workers: int,
        loop: asyncio.AbstractEventLoop,
        observe: Callable[[int, float], None],
    ) -> None:
        self._engine = engine
        self._max_batch = max_batch
        self._wait = max_wait_ms / 1000
        self._limit = limit
        self._loop = loop
        self._observe = observe
        self._queue: queue.SimpleQueue[tuple[Call, Done] | None] = queue.SimpleQueue()
        self.pending = 0
        self._threads = [threading.Thread(target=self._work, name=f"tail-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def has_room(self, items: int = 1) -> bool:
        """Whether that many items fit; a request larger than the queue runs alone."""
        return self.pending + items <= self._limit or self.pending == 0

    def submit(self, call: Call, done: Done) -> bool:
        """Queue a call, or return False if the queue is full.

        `done` gets logits, the error if the features cannot be decoded, or None if the engine or the decoder failed.

        Must be called on the event loop's thread, on which `done` is called too.
        """
        items = len(call.array)
        if not self.has_room(items):
            return False
        self.pending += items
        self._queue.put((call, done))
        return True

    def stop(self) -> None:
        """End the threads after they have run what is queued."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        held: deque[tuple[Call, Done]] = deque()
        while True:
            taken = held.popleft() if held else self._queue.get()
            if taken is None:
                return
            jobs, items = [taken], len(taken[0].array)
            patience = time.monotonic() + self._wait
            stopping = False
            while items < self._max_batch:
                try:
                    left = patience - time.monotonic() if self._wait else 0.0
                    more = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    stopping = True
                    break
                if items + len(more[0].array) > self._max_batch:
                    held.append(more)
                    break
                jobs.append(more)
                items += len(more[0].array)
            self._run(jobs, items)
            if stopping:
                self._queue.put(None)

    def _run(self, jobs: list[tuple[Call, Done]], items: int) -> None:
        started = time.perf_counter()
        answers: list[tuple[Done, Answer]] = []
        parts, waiting = [], []
        for call, done in jobs:
            try:
                parts.append(call.features())
                waiting.append(done)
            except WireError as error:  # its messages cannot be decoded; the others are not concerned
                answers.append((done, error))
            except Exception:  # no memory for it, or a fault of ours: this thread has others to answer
                answers.append((done, None))
        if parts:
            try:
                logits = self._forward(parts)
                ends = np.cumsum([len(part) for part in parts])[:-1]
                answers += zip(waiting, np.split(logits, ends), strict=True)
            except Exception:  # whatever an engine throws, its callers get an answer
                answers += [(done, None) for done in waiting]
        self._loop.call_soon_threadsafe(self._deliver, answers, items, time.perf_counter() - started)

    def _forward(self, parts: list[Floats]) -> Floats:
        batch = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if len(batch) <= self._max_batch:
            return self._engine.run(batch)
        pieces = range(0, len(batch), self._max_batch)
        return np.concatenate([self._engine.run(batch[piece : piece + self._max_batch]) for piece in pieces])

    def _deliver(self, answers: list[tuple[Done, Answer]], items: int, seconds: float) -> None:
        self.pending -= items
        self._observe(items, seconds)
        for done, logits in answers:
            done(logits)
