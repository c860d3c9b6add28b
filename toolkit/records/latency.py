"""What `pripro measure` prints and what phones write about their benchmark. Units are part of the field names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .bundle import Record, Report, Sha256
from .machine import Condition, Device


class LatencyRow(Record):
    """One thing timed: a head on a runtime, the tail, or the network between."""

    part: Literal["head", "unprotected-head", "network", "tail", "total"]
    target: str
    precision: str
    backend: str
    runtime: str
    threads: int
    load_ms: float | None
    first_run_ms: float | None
    warmups: int
    n: Annotated[int, Field(ge=1)]
    mean_ms: float
    std_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    #: p50 over the p50 of the report's first row, from interleaved rounds
    ratio_to_first: float | None = None
    peak_memory_bytes: int | None = None
    #: why the figures should be doubted (foreign load, throttling), or ""
    flag: str = ""


class OperatorRow(Record):
    """One line of a runtime's own operator profile."""

    target: str
    precision: str
    operator: str
    calls: int
    total_ms: float
    share: float


class LatencyReport(Report):
    """What `pripro measure --json` prints and what the phone apps' benchmark screens write."""

    kind: Literal["latency"] = "latency"
    bundle_id: Sha256
    device: Device
    start: Condition
    end: Condition
    rows: list[LatencyRow]
    operators: list[OperatorRow] = Field(default_factory=list)
