"""Fit a method to a frozen network and set its strength: the one way that protect, evaluate and sweep do it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..datasets._data import DataSplits, Part
from ..errors import InputError
from ..partition.split import Split
from ..protections._devices import ALONE, Devices
from ..protections._parts import InParts
from ..protections.base import Protection, Training
from ..tasks._truth import truth_for
from ..tasks.classify import Classify
from .calibrate import CalibrationResult, calibrate_strength, calibrate_trained
from .protected import BLOCK, DECODER, ENCODER, HEAD, TAIL, features_of, protection_class
from .settings import Answer, Encoder, Train
from .truths import training_labels, truth_of
from .waist.geometry import choose_geometry, of_places
from .waist.modules import Waist, narrowed
from .waist.phases import in_two_phases
from .waist.training import WaistTraining, train_waist

#: accuracy that a waist may cost where the user says nothing
WAIST_DROP = 0.01
#: validation photos that a waist is watched and judged on: at most, at least, and their bytes between the two
_WATCHED, _LEAST_WATCHED, _WATCHED_BYTES = 4000, 500, 512 << 20
Progress = Callable[[int, int, str], None]


def quietly(done: int, total: int, text: str) -> None:
    """Tell nobody."""


#: photos that an accuracy is measured on, at most and at least, and the features' bytes that may be held for it
_MOST_JUDGED, _LEAST_JUDGED, _JUDGED_BYTES = 10_000, 512, 256 << 20


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
        train: what is trained: the injector, a waist around it, or head and tail too.
        channels, stride: of the waist, or None: as fits the cut.
        encoder: of the waist, two convolutions or a deep branch beside them; auto: deep on the short path.
        encoder_work: most that the deep branch may compute, as a share of the head's work; None: as the docs say.
        answer: what a waist keeps of an answer: every class's score, or the class alone.
        max_bytes: most bytes of a message on average, or None.
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
    train: Train = "injector"
    channels: int | None = None
    stride: int | None = None
    encoder: Encoder = "auto"
    encoder_work: float | None = None
    answer: Answer = "scores"
    max_bytes: int | None = None


@dataclass(frozen=True)
class Fitted:
    """A fitted method.

    Attributes:
        split: the cut network as the method left it: a head of its own, and a tail; with the waist where there is one.
        protection: in eval mode, without gradients.
        calibration: what the search found; None without one.
        waist: its two networks; None without one.
        trained: head and tail without the waist's networks.
        options: what the method was built with: the user's, and behind a waist its own for that place.
    """

    split: Split
    protection: Protection
    calibration: CalibrationResult | None
    waist: Waist | None = None
    trained: tuple[nn.Module, nn.Module] | None = None
    options: Mapping[str, float] = field(default_factory=dict)

    @property
    def head(self) -> nn.Module:
        """Image -> what is protected."""
        return self.split.head


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
        tell: called with how long it will take and what it will use.

    Raises:
        UnknownNameError: an unknown method or option.
        InputError: an option that does not fit, or a training that ends in NaN.
    """
    if wanted.train != "injector":
        return _with_waist(halves, data, wanted, progress, checkpoint, resume_from, tell, devices)
    tail = InParts(_placed(halves.tail, devices))
    options = dict(wanted.options)
    protection = protection_class(wanted.method).build(features_of(halves.cut.shape), options)
    protection.to(devices.device)
    labels, labelled = training_labels(halves, data.victim_train, wanted.relabel, devices)
    untouched = _placed(halves.head, devices)
    head = copy.deepcopy(untouched) if protection.trains_head else untouched
    original = nn.Sequential(untouched, tail)
    protection.fit(
        Training(
            head=head,
            tail=tail,
            images=data.victim_train.photos if data.victim_train.is_large else data.victim_train.images,
            labels=labels,
            task=halves.task,
            labelled=labelled,
            reference=original if protection.trains_head else None,
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
    _refuse_nan(wanted, protection, head)
    calibration = None
    if wanted.max_drop is not None and devices.first:
        watched = data.victim_val.first(judged(halves))
        images = watched.photos
        truth = truth_for(halves.task, original, images, wanted.relabel(watched.labels))
        before = truth.unprotected
        calibration = calibrate_strength(
            protection,
            head,
            tail,
            images,
            truth,
            max_drop=wanted.max_drop * (before.mean().item() if wanted.relative else 1.0),
            draws=wanted.draws,
            seed=wanted.seed,
            unprotected_right=before,
            scratch=scratch,
            progress=progress,
        )
    return Fitted(replace(halves, head=head.cpu()), protection.cpu(), calibration, options=options)


def _placed(half: nn.Module, devices: Devices) -> nn.Module:
    """A frozen half where the arithmetic happens: itself on a CPU, where a copy would only take memory."""
    return half if devices.device.type == "cpu" else copy.deepcopy(half).to(devices.device)


def _refuse_nan(wanted: Fitting, *trained: nn.Module) -> None:
    """Stop before a strength is searched for noise that is none.

    Raises:
        InputError: a weight is not a number.
    """
    if any(bool(value.isnan().any()) for each in trained for value in each.state_dict().values()):
        given = "".join(f" --option {name}={value:g}" for name, value in wanted.options.items())
        raise InputError(
            f"The training of {wanted.method} left the finite numbers (seed {wanted.seed},{given or ' no option'}); "
            "lower its learning_rate or scale with --option, or leave the options out."
        )


def judged(halves: Split) -> int:
    """How many photos' features are held at once to measure an accuracy: a sample where there are millions."""
    return max(min(_MOST_JUDGED, _JUDGED_BYTES // (4 * math.prod(halves.cut.shape))), _LEAST_JUDGED)


def _with_waist(
    halves: Split,
    data: DataSplits,
    wanted: Fitting,
    progress: Progress,
    checkpoint: Callable[[dict[str, object]], None],
    resume_from: dict[str, object] | None,
    tell: Callable[[str], None],
    devices: Devices,
) -> Fitted:
    """Train a waist around the method, by distillation; then raise the strength to what the accuracy allows.

    Raises:
        InputError: a geometry that does not fit, or the class alone of an answer that names none.
    """
    if wanted.answer == "class" and not isinstance(halves.task, Classify):
        raise InputError(
            "--answer class distils the class alone, and this network names no classes; leave it out, or give "
            "partition --task classify."
        )
    features, kind = features_of(halves.cut.shape), protection_class(wanted.method)
    options = {**kind.behind_waist, **wanted.options}
    places = of_places(halves.task.shapes)
    short = in_two_phases(wanted.train, len(data.victim_train), places=places)
    usual = wanted.encoder == "auto" and wanted.encoder_work is None
    geometry = choose_geometry(
        features, halves.image, halves.cut.head_macs, channels=wanted.channels, stride=wanted.stride,
        max_bytes=wanted.max_bytes, deep=None if usual else wanted.encoder != "flat",
        places=places, short=short, tail_macs=halves.cut.tail_macs,
        branch=wanted.encoder_work,
    )  # fmt: skip
    protection = kind.build(geometry.shape, options)
    images, labels = watched(data.victim_val)
    truth = truth_of(halves, images, torch.full((len(images),), -1) if labels is None else wanted.relabel(labels))
    before = truth.unprotected
    allowed = WAIST_DROP if wanted.max_drop is None else wanted.max_drop
    allowed *= before.mean().item() if wanted.relative else 1.0
    trained = train_waist(
        WaistTraining(
            halves, geometry, protection, "all" if wanted.train == "all" else "waist", options, data.victim_train,
            images, truth, allowed,
            answer=wanted.answer, max_bits=None if wanted.max_bytes is None else 8.0 * wanted.max_bytes,
            short=short, epochs=wanted.epochs, batch_size=wanted.batch_size, seed=wanted.seed,
            progress=progress, checkpoint=checkpoint, resume_from=resume_from, tell=tell, devices=devices,
        )
    )  # fmt: skip
    _refuse_nan(wanted, protection, trained.waist.encoder, trained.waist.decoder)
    narrow = narrowed(replace(halves, head=trained.head, tail=trained.tail), trained.waist)
    calibration = None
    if devices.first:
        calibration = calibrate_trained(
            protection,
            narrow,
            images,
            truth,
            before,
            max_drop=allowed,
            draws=wanted.draws,
            seed=wanted.seed,
            untrained=trained.at_start,
        )
    return Fitted(narrow, protection, calibration, trained.waist, (trained.head, trained.tail), options)


def watched(part: Part) -> tuple[Tensor, Tensor | None]:
    """Validation images [N,C,H,W] and their labels [N], or None for the labels where not all of them are known."""
    each = 4 * part.photos.shape[1:].numel()
    count = min(_WATCHED, max(_LEAST_WATCHED, _WATCHED_BYTES // each))
    labels = part.labels[:count]
    return part.photos[:count], labels if bool((labels >= 0).all()) else None


def weights_of(fitted: Fitted, train: str) -> dict[str, Tensor]:
    """Collect what protecting changed: the weights of the block, of the waist, and of trained head and tail."""
    parts: dict[str, nn.Module] = {BLOCK: fitted.protection}
    if fitted.waist is not None:
        parts |= {ENCODER: fitted.waist.encoder, DECODER: fitted.waist.decoder}
    if fitted.trained is not None and train == "all":
        parts |= {HEAD: fitted.trained[0], TAIL: fitted.trained[1]}
    elif fitted.waist is None and fitted.protection.trains_head:
        parts[HEAD] = fitted.head
    state = {prefix + name: value for prefix, part in parts.items() for name, value in part.state_dict().items()}
    return {name: value.detach().clone().contiguous() for name, value in state.items()}
