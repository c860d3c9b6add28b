"""Fit a method to a frozen network and set its strength: the one way that protect, evaluate and sweep do it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ..datasets._data import DataSplits
from ..inference import in_batches, right
from ..partition.split import Split
from ..protections.base import Protection, Training
from .calibrate import CalibrationResult, calibrate_strength
from .protected import features_of, protection_class

Progress = Callable[[int, int, str], None]


def quietly(done: int, total: int, text: str) -> None:
    """Tell nobody."""


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
) -> Fitted:
    """Fit on victim-train, then search the strength on victim-val.

    Args:
        halves: the split network; it stays as it is.
        data: the four parts.
        wanted: method, budget and search.
        progress: called with (steps done, steps in all, one line of text).
        checkpoint: called with a resumable state now and then.
        resume_from: the state that `checkpoint` was last given, or None.

    Raises:
        UnknownNameError: an unknown method or option.
    """
    head = copy.deepcopy(halves.head)
    options = dict(wanted.options)
    protection = protection_class(wanted.method).build(features_of(halves.cut.shape), options)
    protection.fit(
        Training(
            head=head,
            tail=halves.tail,
            images=data.victim_train.images,
            labels=wanted.relabel(data.victim_train.labels),
            seed=wanted.seed,
            epochs=wanted.epochs,
            batch_size=wanted.batch_size,
            options=options,
            progress=progress,
            checkpoint=checkpoint,
            resume_from=resume_from,
        )
    )
    protection.eval().requires_grad_(False)
    calibration = None
    if wanted.max_drop is not None:
        images, labels = data.victim_val.images, wanted.relabel(data.victim_val.labels)
        before = right(in_batches(halves.tail, in_batches(halves.head, images)), labels)
        calibration = calibrate_strength(
            protection,
            head,
            halves.tail,
            images,
            labels,
            max_drop=wanted.max_drop * (before.mean().item() if wanted.relative else 1.0),
            draws=wanted.draws,
            seed=wanted.seed,
            unprotected_right=before,
            progress=progress,
        )
    return Fitted(head, protection, calibration)
