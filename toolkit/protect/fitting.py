"""Fit a method to a frozen network and set its strength: the one way that protect, evaluate and sweep do it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from ..datasets._data import DataSplits
from ..inference import in_batches, right
from ..partition.split import Split
from ..protections._devices import ALONE, Devices
from ..protections.base import Protection, Training
from .calibrate import CalibrationResult, calibrate_strength
from .protected import features_of, protection_class

Progress = Callable[[int, int, str], None]


def quietly(done: int, total: int, text: str) -> None:
    """Tell nobody."""


#: photos that an accuracy is measured on, at most and at least, and the features' bytes that may be held for it
_MOST_JUDGED, _LEAST_JUDGED, _JUDGED_BYTES = 10_000, 512, 1 << 30


@dataclass(frozen=True)
class Fitting:
    """How a method is fitted and how its strength is set.

    Attributes:
        method: name of the protection.
        options: the method's own settings.
        epochs: passes over victim-train.
        batch_size: images per step.
        seed: seeds training and search.
        max_drop: loss of accuracy on victim-val that the strength may cost, a share; None: the strength stays.
        relative: whether `max_drop` is a share of the unprotected accuracy instead of all images.
        draws: draws of eps per image in the search.
        relabel: from class indices [N] to what the user wants to know [N].
    """

    method: str
    options: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 16
    batch_size: int = 64
    seed: int = 0
    max_drop: float | None = None
    relative: bool = False
    draws: int = 5
    relabel: Callable[[Tensor], Tensor] = lambda labels: labels


@dataclass(frozen=True)
class Fitted:
    """A fitted method.

    Attributes:
        head: the head as the method left it, a copy of its own.
        protection: in eval mode, without gradients.
        calibration: what the search found; None without one.
    """

    head: nn.Module
    protection: Protection
    calibration: CalibrationResult | None


def fit_and_calibrate(
    halves: Split,
    data: DataSplits,
    wanted: Fitting,
    *,
    progress: Progress = quietly,
    checkpoint: Callable[[dict[str, object]], None] = lambda state: None,
    resume_from: dict[str, object] | None = None,
    devices: Devices = ALONE,
    scratch: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Fitted:
    """Fit on victim-train, then search the strength on victim-val.

    Args:
        halves: the split network; it stays as it is.
        data: the four parts.
        wanted: method, budget and search.
        progress: called with (steps done, steps in all, one line of text).
        checkpoint: called with a resumable state now and then.
        resume_from: the state that `checkpoint` was last given, or None.
        devices: where the arithmetic happens; what comes back is on the CPU.
        scratch: a folder for features that memory has no room for.
        tell: hears how long it will take and what it will use.

    Raises:
        UnknownNameError: an unknown method or option.
    """
    head, tail = copy.deepcopy(halves.head).to(devices.device), copy.deepcopy(halves.tail).to(devices.device)
    options = dict(wanted.options)
    protection = protection_class(wanted.method).build(features_of(halves.cut.shape), options)
    protection.to(devices.device)
    protection.fit(
        Training(
            head=head,
            tail=tail,
            images=data.victim_train.photos if data.victim_train.is_large else data.victim_train.images,
            labels=wanted.relabel(data.victim_train.labels),
            seed=wanted.seed,
            epochs=wanted.epochs,
            batch_size=wanted.batch_size,
            options=options,
            progress=progress,
            checkpoint=checkpoint,
            resume_from=resume_from,
            devices=devices,
            scratch=scratch,
            tell=tell,
        )
    )
    protection.eval().requires_grad_(False)
    calibration = None
    if wanted.max_drop is not None and devices.first:
        watched = data.victim_val.first(judged(halves))
        images, labels = watched.photos, wanted.relabel(watched.labels)
        original = nn.Sequential(copy.deepcopy(halves.head), tail).to(devices.device)
        before = right(in_batches(original, images), labels)
        calibration = calibrate_strength(
            protection,
            head,
            tail,
            images,
            labels,
            max_drop=wanted.max_drop * (before.mean().item() if wanted.relative else 1.0),
            draws=wanted.draws,
            seed=wanted.seed,
            unprotected_right=before,
            progress=progress,
        )
    return Fitted(head.cpu(), protection.cpu(), calibration)


def judged(halves: Split) -> int:
    """How many photos' features are held at once to measure an accuracy: a sample where there are millions."""
    return max(min(_MOST_JUDGED, _JUDGED_BYTES // (4 * math.prod(halves.cut.shape))), _LEAST_JUDGED)
