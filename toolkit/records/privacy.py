"""PrivacyReport: what `pripro evaluate` writes and report.html draws."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .bundle import Record, Report, Sha256
from .machine import Device

DEFINITIONS = (
    "PA = accuracy with protection / accuracy without (tail unchanged). "
    "PI = 1 - (attacker with - chance) / (strongest attacker without - chance), clipped to [0, 1]; every attacker is "
    "retrained on protected messages. The headline PI is the lowest over attackers and measures. "
    "'Recognised': the user's own unprotected network still gives the reconstruction the photo's class; where photos "
    "have no labels, or the network names no classes, the answer that it gives to the photo itself. "
    "'Re-identified of N': among N photos, the right one is nearest to the reconstruction in that network's features. "
    "The floor is what the user's answer alone gives away. Intervals: 95 %, bootstrap over photos. "
    "Per photo, the attacker's success is the mean probability that it gives to the truth."
)

#: lower and upper end of a 95 % interval
Interval = tuple[float, float]


class Measure(Record):
    """One way to count what an attack achieved; shares in [0, 1]."""

    name: str
    attacker: float
    interval: Interval
    #: the strongest attacker on unprotected messages
    unprotected: float
    chance: float
    #: the best guess from the user's answer alone; null where nobody made one
    floor: float | None
    #: null where even the unprotected attacker is no better than chance
    pi: float | None
    pi_interval: Interval | None


class TrainingRecord(Record):
    """How one network of an attacker was trained. `losses`: on its validation photos, from start to end."""

    what: str
    photos: int
    rate: float
    steps: int
    converged: bool
    losses: list[float]


class PrivacyRow(Record):
    """One attack on one protected network. Shares are in [0, 1].

    `attacker`, `chance`, `pi` and their like are those of the first measure. Null: PI where the unprotected attack is
    no better than chance; likenesses for attributes.
    """

    method: str
    strength: float
    attack: str
    task: str
    #: messages of each photo that the attacker sees
    observations: int
    pa: float
    #: null in reports of before 2026-11-28
    pa_interval: Interval | None = None
    accuracy: float
    #: of the protected accuracy; null in reports of before 2026-11-27
    accuracy_interval: Interval | None = None
    accuracy_unprotected: float
    #: share of test inputs that the tail gets right in less than half of the draws
    inputs_mostly_wrong: float
    measures: list[Measure]
    attacker: float
    attacker_unprotected: float
    chance: float
    pi: float | None
    pi_inputs_mean: float | None
    pi_worst5: float | None
    pi_worst1: float | None
    ssim: float | None
    ssim_interval: Interval | None
    ssim_unprotected: float | None
    ssim_worst5: float | None
    psnr_db: float | None
    mse: float | None
    #: in the judge's feature space; 1 = as far as another photo
    feature_distance: float | None
    recognised: float | None
    images: int
    draws: int
    seed: int
    trainings: list[TrainingRecord] = Field(default_factory=list)
    #: PI of each test input that counts, in no order that matters
    pi_inputs: list[float] = Field(default_factory=list, repr=False)


class Headline(Record):
    """The strongest attacker that was tried: the lowest PI over all rows and measures."""

    pi: float
    interval: Interval | None
    attack: str
    task: str
    measure: str
    observations: int


class LearningPoint(Record):
    """The headline's attacker with a part of its photos."""

    photos: int
    pi: float | None
    attacker: float
    #: null in reports of before 2026-11-27, and where the figure itself is
    pi_interval: Interval | None = None
    interval: Interval | None = None


class Floor(Record):
    """What someone gets without the attack: the mean photo, or the mean photo of the class that the user is told."""

    name: Literal["mean photo", "mean photo of the answer"]
    ssim: float
    recognised: float
    #: among how many -> share re-identified
    reidentified: dict[str, float]
    #: null in reports of before 2026-11-28
    ssim_interval: Interval | None = None
    recognised_interval: Interval | None = None


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
    rank: Literal["worst protected", "median", "best protected"]
    ssim: float
    photo: str
    #: (what it shows, picture): without protection, then the strongest attack's, then the others'
    rebuilt: list[tuple[str, str]]


class HeatMap(Record):
    """W_A over a photo: base64 PNG of the photo, W_A as gray PNG scaled from `low` to `high`."""

    index: int
    photo: str
    weight: str
    low: float
    high: float
    mean: float


class MessageSize(Record):
    """Bytes that cross for one photo, and what the photo itself would take."""

    mean: float
    p99: float
    #: the photo as a PNG, and as a JPEG of quality 75
    png: float
    jpeg: float


class RatePoint(Record):
    """One way to send a photo: mean bytes, and what is left of the accuracy on the same photos."""

    #: "message": what the bundle sends; the others are unprotected
    way: Literal["message", "uint8 features", "float32 features", "JPEG", "WebP"]
    quality: int | None = None
    bytes: float
    accuracy: float


class PrivacyReport(Report):
    """Rows hold attacks on the protected bundle; shares are in [0, 1]."""

    kind: Literal["privacy"] = "privacy"
    bundle_id: Sha256
    device: Device
    tools: dict[str, str]
    data: str
    seed: int
    effort: str
    definitions: str = DEFINITIONS
    attacker_images: int
    test_images: int
    #: what crossed the network: float32 features, or uint8 codes of them
    wire: Literal["float32", "uint8"] = "float32"
    #: how noise is drawn: anew for every message, or once for a photo
    noise: Literal["fresh", "memoised"] = "fresh"
    #: the user's unprotected network on the real test photos
    judge_accuracy: float
    #: null in reports of before 2026-11-27
    judge_interval: Interval | None = None
    #: what a photo shows: what its label says, or what the unprotected network answers to the real photo
    judged_by: Literal["labels", "answers"] = "labels"
    message: MessageSize
    #: accuracy against bytes; empty in reports of before 2026-11-28
    rates: list[RatePoint] = Field(default_factory=list)
    headline: Headline | None
    rows: list[PrivacyRow]
    learning: list[LearningPoint]
    floors: list[Floor]
    curves: list[CurvePoint]
    pictures: list[Pictures]
    heat_maps: list[HeatMap]
    statistics: dict[str, float] = Field(default_factory=dict)
    estimated_seconds: float
    seconds: float
