"""What `pripro plan` prints: every option with its costs, where the best one changes, and what to choose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .bundle import Record, Report, Sha256
from .machine import Device

#: of what crosses: the features as they are, or entropy-coded codes behind a waist
Encoding = Literal["fp32", "fp16", "uint8", "waist"]


class PlanRow(Record):
    """One way to run the network. Bytes are what one photo sends; `bytes_sent` is the chosen encoding's."""

    option: Literal["split", "edge-only", "cloud-only"]
    #: cut point, or how the photo is sent
    name: str
    shape: list[int] | None
    head_ms: float
    head_source: Literal["measured", "predicted", "none"]
    tail_ms: float
    tail_source: Literal["measured", "predicted", "none"]
    bytes_fp32: int | None
    bytes_fp16: int | None
    bytes_uint8: int | None
    #: mean of a trained waist's messages where a bundle has one, else the most that a waist's shape allows
    bytes_waist: int | None
    bytes_sent: Annotated[int, Field(ge=0)]
    network_ms: float
    total_ms: float
    #: 90th percentile over the trace's moments, null without a trace
    total_p90_ms: float | None
    energy_mj: float | None
    #: PI from an evaluation of a bundle cut here, null where none was given
    pi: float | None
    accuracy_drop: float | None
    #: distance correlation between images and unprotected features: 0 independent, 1 determined
    distance_correlation: float | None
    #: no other option is better or equal in total_ms, bytes_sent and privacy together
    on_pareto_front: bool


class Crossing(Record):
    """At this bandwidth the fastest option changes."""

    bandwidth_mbps: float
    below: str
    above: str


class Recommendation(Record):
    """The option for one goal, and why."""

    goal: str
    option: Literal["split", "edge-only", "cloud-only"]
    name: str
    why: str


class PlanReport(Report):
    """What `pripro plan --json` prints."""

    kind: Literal["plan"] = "plan"
    #: the bundle that was planned from; null where a network was, which has no bundle yet
    bundle_id: Sha256 | None
    device: Device
    network: str
    protection: str
    target: str
    precision: str
    threads: int
    encoding: Encoding
    bandwidth_mbps: float
    rtt_ms: float
    trace: str | None
    #: median and worst relative error of the head's prediction, leave-one-out over the measured cuts
    head_error_median_share: float
    head_error_worst_share: float
    measured_cuts: list[str]
    rows: list[PlanRow]
    crossings: list[Crossing]
    #: the same among the options that keep the photo on the phone
    private_crossings: list[Crossing]
    recommendations: list[Recommendation]
    assumptions: list[str]
