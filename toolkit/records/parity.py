"""What `pripro verify` prints and what phones write about their goldens. Units are part of the field names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .bundle import Record, Report, Sha256
from .machine import Device


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
    #: null: nothing was compared, which does not count as a pass
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


class ParityReport(Report):
    """What `pripro verify --json` prints."""

    kind: Literal["parity"] = "parity"
    bundle_id: Sha256
    device: Device
    rows: list[ParityRow]
    passed: bool


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


class DeviceParityReport(Report):
    """What the apps' Parity screens write; `pripro verify --device-report FILE` turns it into ParityRows."""

    kind: Literal["device-parity"] = "device-parity"
    bundle_id: Sha256
    device: Device
    outputs: list[DeviceOutput]
