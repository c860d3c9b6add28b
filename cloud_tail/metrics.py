"""Prometheus metrics: counts and times, never payloads, and no label that a client can choose."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """One server's metrics in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "pripro_requests", "Inference requests answered", ["model", "encoding"], registry=self._registry
        )
        self._refused = Counter("pripro_refused", "Requests refused", ["status"], registry=self._registry)
        self._latency = Histogram(
            "pripro_request_seconds",
            "From a request's head to its answer",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._run = Histogram(
            "pripro_run_seconds", "One engine run", ["model"], buckets=_SECONDS, registry=self._registry
        )
        self._batch = Histogram(
            "pripro_batch_items",
            "Items in one engine run",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self._registry,
        )
        self._queue = Gauge("pripro_queue_items", "Items that wait or run", ["model"], registry=self._registry)
        self._children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._runs: dict[str, tuple[Histogram, Histogram]] = {}
        self._counts: dict[str, list[int]] = {}

    def answered(self, model: str, encoding: str, seconds: float) -> None:
        """Count one answer that took so long."""
        children = self._children.get((model, encoding))
        if children is None:
            children = self._requests.labels(model, encoding), self._latency.labels(model)
            self._children[model, encoding] = children
        children[0].inc()
        children[1].observe(seconds)

    def refused(self, status: int) -> None:
        """Count one refusal."""
        self._refused.labels(str(status)).inc()

    def ran(self, model: str, items: int, seconds: float) -> None:
        """Count one engine run."""
        children = self._runs.get(model)
        if children is None:
            children = self._runs[model] = self._run.labels(model), self._batch.labels(model)
        children[0].observe(seconds)
        children[1].observe(items)
        counts = self._counts.setdefault(model, [0, 0])
        counts[0] += items
        counts[1] += 1

    def counts(self, model: str) -> tuple[int, int]:
        """Items and runs so far."""
        items, runs = self._counts.get(model, (0, 0))
        return items, runs

    def watch_queue(self, model: str, pending: object) -> None:
        """Read the queue's length when the page is asked for."""
        self._queue.labels(model).set_function(pending)  # type: ignore[arg-type]

    def page(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)
