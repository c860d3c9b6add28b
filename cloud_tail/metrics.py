"""Prometheus metrics: counts and times, never payloads, and no label that a client can choose.

Counts are plain numbers; they become Prometheus metric families when the page is scraped, every few seconds,
not with every request.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_ITEMS = (1, 2, 4, 8, 16, 32)


class Queue(Protocol):
    """Something with items that wait or run."""

    pending: int


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def count(self) -> int:
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Each upper bound with the number of values up to it."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


class _Model:
    """One model's counts."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.latency = _Histogram(_SECONDS)
        self.run = _Histogram(_SECONDS)
        self.batch = _Histogram(_ITEMS)
        self.queue: Queue | None = None


class Metrics(Collector):
    """One server's metrics in a registry of its own; call it from one thread only."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._refused: Counter[int] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def _model(self, name: str) -> _Model:
        found = self._models.get(name)
        if found is None:
            found = self._models[name] = _Model()
        return found

    def answered(self, model: str, encoding: str, seconds: float) -> None:
        """Count one answer and its time in seconds."""
        of = self._model(model)
        of.answered[encoding] += 1
        of.latency.observe(seconds)

    def refused(self, status: int) -> None:
        """Count one refusal."""
        self._refused[status] += 1

    def ran(self, model: str, items: int, seconds: float) -> None:
        """Count one engine run."""
        of = self._model(model)
        of.run.observe(seconds)
        of.batch.observe(items)

    def counts(self, model: str) -> tuple[int, int]:
        """Return the number of items and of runs so far."""
        batch = self._model(model).batch
        return int(batch.sum), batch.count()

    def watch_queue(self, model: str, queue: Queue) -> None:
        """Report this queue's length when the page is scraped."""
        self._model(model).queue = queue

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families."""
        requests = CounterMetricFamily("pripro_requests", "Inference requests answered", labels=["model", "encoding"])
        refused = CounterMetricFamily("pripro_refused", "Requests refused", labels=["status"])
        latency = HistogramMetricFamily(
            "pripro_request_seconds", "From a request's complete headers to its answer", labels=["model"]
        )
        run = HistogramMetricFamily("pripro_run_seconds", "One engine run", labels=["model"])
        batch = HistogramMetricFamily("pripro_batch_items", "Items in one engine run", labels=["model"])
        queue = GaugeMetricFamily("pripro_queue_items", "Items that wait or run", labels=["model"])
        for name, of in self._models.items():
            for encoding, count in of.answered.items():
                requests.add_metric([name, encoding], count)
            for family, histogram in ((latency, of.latency), (run, of.run), (batch, of.batch)):
                family.add_metric([name], histogram.buckets(), histogram.sum)
            if of.queue is not None:
                queue.add_metric([name], of.queue.pending)
        for status, count in self._refused.items():
            refused.add_metric([str(status)], count)
        yield from (requests, refused, latency, run, batch, queue)

    def page(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)
