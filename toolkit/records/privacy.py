"""PrivacyReport: what `pripro evaluate` writes and report.html draws."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .bundle import Record, Report, Sha256
from .machine import Device

DEFINITIONS = (
    "PA = accuracy with protection / accuracy without (tail unchanged). "
    "PI = 1 - (attacker with - chance) / (attacker without - chance), clipped to [0, 1]; the attacker is retrained "
    "on protected features. Per input, the attacker's success is the mean probability it gives to the truth. "
    "'Recognised' is the share of reconstructions that a classifier trained on real images still gets right."
)


class PrivacyRow(Record):
    """One attack on one protected network. Shares are in [0, 1].

    Null: PI where the unprotected attack is no better than chance; likenesses for attributes.
    """

    method: str
    strength: float
    attack: str
    task: str
    observations: int
    pa: float
    accuracy: float
    accuracy_unprotected: float
    #: share of test inputs that the tail gets right in less than half of the draws
    inputs_mostly_wrong: float
    attacker: float
    attacker_unprotected: float
    chance: float
    pi: float | None
    pi_inputs_mean: float | None
    pi_worst5: float | None
    pi_worst1: float | None
    ssim: float | None
    ssim_unprotected: float | None
    ssim_worst5: float | None
    psnr_db: float | None
    mse: float | None
    recognised: float | None
    images: int
    draws: int
    seed: int
    #: PI of each test input that counts, in no order that matters
    pi_inputs: list[float] = Field(default_factory=list, repr=False)


class Floor(Record):
    """What someone gets without the attack: the mean photo, or the mean photo of the right class."""

    name: Literal["mean photo", "mean photo of the class"]
    ssim: float
    recognised: float


class CurvePoint(Record):
    """One strength of one method: PA against the PI of attribute inference."""

    method: str
    strength: float
    pa: float
    pi: float | None
    attacker: float


class Pictures(Record):
    """One test photo and what was rebuilt from it. Pictures are base64 PNG."""

    index: int
    rank: Literal["best protected", "median", "worst protected"]
    ssim: float
    photo: str
    #: (what it shows, picture)
    rebuilt: list[tuple[str, str]]


class HeatMap(Record):
    """W_A over a photo: base64 PNG of the photo, W_A as gray PNG scaled from `low` to `high`."""

    index: int
    photo: str
    weight: str
    low: float
    high: float
    mean: float


class PrivacyReport(Report):
    """Rows hold attacks on the protected bundle; shares are in [0, 1]."""

    kind: Literal["privacy"] = "privacy"
    bundle_id: Sha256
    device: Device
    tools: dict[str, str]
    data: str
    seed: int
    definitions: str = DEFINITIONS
    attacker_images: int
    test_images: int
    #: what crossed the network: float32 features, or uint8 codes of them
    wire: Literal["float32", "uint8"] = "float32"
    judge_accuracy: float
    rows: list[PrivacyRow]
    floors: list[Floor]
    curves: list[CurvePoint]
    pictures: list[Pictures]
    heat_maps: list[HeatMap]
    statistics: dict[str, float] = Field(default_factory=dict)
    seconds: float
