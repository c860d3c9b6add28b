"""Reports as typed data: what verify and measure print, what phones write, what report.html draws.

Every report carries `schema_version`, `kind` and the `bundle_id` it belongs to; a report of another bundle is
refused. Units are part of the field names. toolkit/schemas/*.schema.json is generated from these classes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .manifest import Record, Sha256

REPORT_VERSION = 1


class Device(Record):
    """Where something ran. Unknown things say "unknown"; a host is never called a device."""

    kind: Literal["host", "android", "ios", "macos", "emulated"]
    model: str
    os: str
    cpu: str
    cores: int


class ParityRow(Record):
    """One comparison with eager torch.

    `where`: "head" (smashed features of real images), "hard inputs" (of extreme ones), "noise" (what eps adds),
    "end-to-end" (the goldens' logits through the tail), "task" (top-1 on many images), "as on this host" (other
    kernels beside this machine's), or "not run".
    """

    target: str
    precision: str
    backend: str
    where: str
    runtime: str
    #: null where nothing was compared or a value was not finite (`note` says which)
    max_abs: float | None
    #: null also where there is no difference at all
    sqnr_db: float | None
    top1_agree: float | None
    tolerance: str
    #: null: nothing was compared, which is no pass
    passed: bool | None
    note: str = ""
    level: Literal["numeric", "privacy", "task", "none"] = "numeric"
    #: how many inputs were compared
    n: int | None = None
    cosine: float | None = None
    #: 95 % confidence interval of top1_agree (Wilson)
    top1_agree_interval: tuple[float, float] | None = None
    #: share of right answers where labels are known: this head's with its interval, and eager torch's
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    eager_accuracy: float | None = None


class ParityReport(Record):
    """What `pripro verify --json` prints."""

    schema_version: Literal[1] = 1
    kind: Literal["parity"] = "parity"
    bundle_id: Sha256
    created_utc: str
    device: Device
    rows: list[ParityRow]
    passed: bool


class Condition(Record):
    """State of the machine at one moment; null where it does not tell."""

    governor: str | None = None
    temperature_c: float | None = None
    thermal_status: str | None = None
    battery_percent: float | None = None
    load_average: float | None = None


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


class LatencyReport(Record):
    """What `pripro measure --json` prints and what the phone apps' benchmark screens write."""

    schema_version: Literal[1] = 1
    kind: Literal["latency"] = "latency"
    bundle_id: Sha256
    created_utc: str
    device: Device
    start: Condition
    end: Condition
    rows: list[LatencyRow]
    operators: list[OperatorRow] = Field(default_factory=list)


class DeviceOutput(Record):
    """One golden replayed on a phone: row `index` of golden/inputs, with the noise of that row."""

    index: Annotated[int, Field(ge=0)]
    target: str
    precision: str
    backend: str
    runtime: str
    #: SHA-256 of the image tensor's little-endian float32 bytes, and of eps's ("" without noise)
    image_sha256: str
    eps_sha256: str
    #: little-endian float32 smashed features, base64
    smashed_base64: str
    #: logits from the tail, null when the phone was offline
    logits: list[float] | None


class DeviceParityReport(Record):
    """What the apps' Parity screens write; `pripro verify --device-report FILE` turns it into ParityRows."""

    schema_version: Literal[1] = 1
    kind: Literal["device-parity"] = "device-parity"
    bundle_id: Sha256
    created_utc: str
    device: Device
    outputs: list[DeviceOutput]
