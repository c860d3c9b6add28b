"""Train a protection on the frozen network, set its strength, and fuse it into the bundle's head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import nn

from ..datasets._chance import refuse_chance
from ..datasets._data import DataSplits, load_data
from ..errors import InputError
from ..inference import accuracy, in_batches, seeded, smashing
from ..partition.split import Split, load_split
from ..protections._devices import ALONE, Devices
from ..protections.base import Protection
from ..records import bundle as records
from ..records.tools import tool_versions
from .calibrate import calibrate_privacy
from .checkpoint import Checkpoint
from .codes import wire_codes
from .fitting import Fitted, Fitting, Progress, fit_and_calibrate, judged, quietly
from .protected import Protected, features_of, protection_class, weights_of
from .settings import ProtectSettings

if TYPE_CHECKING:
    from torch import Tensor

    from ..bundle import Bundle

#: given seed too, makes a function that measures PI at the protection's present strength, with a retrained attacker
Meter = Callable[[Split, Fitted, DataSplits, records.Preprocess, int], Callable[[], float]]
_DRAWS = 5
_CALIBRATION_IMAGES = 256


def protect(
    bundle: Bundle,
    settings: ProtectSettings,
    *,
    progress: Progress = quietly,
    resume: bool = False,
    fingerprint: str = "",
    meter: Meter | None = None,
    devices: Devices = ALONE,
    tell: Callable[[str], None] = lambda text: None,
) -> records.Protection:
    """Protect a bundle's head. Converted heads, tail and goldens of an earlier protection go.

    Args:
        bundle: a partitioned one.
        settings: the method, its budget, and what the search aims at.
        progress: called with (steps done, steps in all, one line of text).
        resume: go on with an interrupted training of the very same settings.
        fingerprint: remembered as this stage's.
        meter: makes the attacker that `min_pi` is measured with, `toolkit.evaluate.pi_meter`.
        devices: where the training's arithmetic happens; of several processes this is the first, the others `join`.
        tell: hears how long it will take and what it will use.

    Raises:
        InputError: unknown method or option, or data that does not fit.
        BundleError: the cut has no positions to protect, or the bundle cannot be written.
    """
    kind = protection_class(settings.method)
    halves = load_split(bundle)
    protection = kind.build(features_of(halves.cut.shape), settings.options)
    data = _data(
        bundle,
        settings,
        progress,
        needs=kind.fit is not Protection.fit or settings.max_accuracy_drop is not None or settings.min_pi is not None,
    )
    before = None if data is None else _unprotected(bundle, halves, data, settings, devices)
    kept = Checkpoint(bundle, settings, protection.revision)
    with bundle.extending() as stage:
        head = halves.head
        if data is not None:
            fitted = fit_and_calibrate(
                halves, data, _fitting(settings), progress=progress, checkpoint=kept.save,
                resume_from=kept.load() if resume else None, devices=devices, scratch=stage.folder, tell=tell,
            )  # fmt: skip
            head, protection = fitted.head, fitted.protection
            _check(fitted, settings)
            if settings.min_pi is not None:
                measure = _needed(meter)(halves, fitted, data, bundle.manifest.preprocess, settings.seed)
                _reach(settings, protection, measure, progress)
        found = Protected(replace(halves, head=head), protection.eval().requires_grad_(False))
        record = _record(found, settings, data, before, _sample(bundle, data))
        made = stage.scratch("protection")
        save_file(weights_of(head, protection), made / "weights.safetensors")
        (weights,) = stage.keep(made, "protection")
        record = record.model_copy(update={"weights": weights})
        old = bundle.manifest
        bundle.commit(
            old.model_copy(
                update={
                    "protection": record,
                    "heads": [],
                    "tail": None,
                    "golden": None,
                    "tools": old.tools | tool_versions("torch", "safetensors"),
                    "stages": {"partition": old.stages.get("partition", ""), "protect": fingerprint},
                }
            )
        )
    kept.remove()
    return record


def _unprotected(bundle: Bundle, halves: Split, data: DataSplits, settings: ProtectSettings, devices: Devices) -> float:
    """The network's accuracy on the test part, before anything is trained on data that may not be its own.

    Raises:
        InputError: it is near chance, or far below what the bundle records.
    """
    test = data.test.first(judged(halves))
    network = nn.Sequential(halves.head, halves.tail).to(devices.device)
    answers = in_batches(network, test.photos).argmax(1)
    network.cpu()
    if settings.anyway:
        return (answers == test.labels).float().mean().item()
    return refuse_chance(answers, test.labels, settings.data or "", bundle.manifest.model.accuracy)


def join(bundle: Bundle, settings: ProtectSettings, devices: Devices, *, resume: bool = False) -> None:
    """Train along in a process that is not the first: the same photos in the same order, and nothing is written."""
    kind, halves = protection_class(settings.method), load_split(bundle)
    if kind.fit is Protection.fit or settings.data is None:
        return
    data = load_data(settings.data, bundle.manifest.preprocess, labels=bundle.manifest.labels)
    kept = Checkpoint(bundle, settings, kind.revision)
    state = kept.load() if resume else None
    fit_and_calibrate(halves, data, _fitting(settings), resume_from=state, devices=devices)


def _fitting(settings: ProtectSettings) -> Fitting:
    return Fitting(
        method=settings.method,
        options=settings.options,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        seed=settings.seed,
        max_drop=settings.max_accuracy_drop,
        draws=_DRAWS,
    )


def _check(fitted: Fitted, settings: ProtectSettings) -> None:
    if fitted.calibration is not None and not fitted.calibration.met:
        raise InputError(
            f"{settings.method} cannot keep the accuracy drop within {settings.max_accuracy_drop:.1%} even at its "
            "least strength; allow a larger --max-accuracy-drop, train longer, or choose another method or cut."
        )


def _needed(meter: Meter | None) -> Meter:
    if meter is None:
        raise TypeError("min_pi needs an attacker: pass meter=toolkit.evaluate.pi_meter")
    return meter


def _reach(settings: ProtectSettings, protection: Protection, measure: Callable[[], float], progress: Progress) -> None:
    wanted = settings.min_pi or 0.0
    reached = calibrate_privacy(protection, measure, min_pi=wanted, progress=progress)
    if reached < wanted:
        raise InputError(
            f"{settings.method} reaches a PI of {reached:.2f} at its greatest strength, not {wanted:g}; "
            "ask for less, or choose another method or a later cut."
        )


def _data(bundle: Bundle, settings: ProtectSettings, progress: Progress, *, needs: bool) -> DataSplits | None:
    if settings.data is None:
        if needs:
            raise InputError(
                f"Protecting with {settings.method} needs images; name them with --data, such as --data folder:DIR."
            )
        return None
    return load_data(settings.data, bundle.manifest.preprocess, labels=bundle.manifest.labels, progress=progress)


def _sample(bundle: Bundle, data: DataSplits | None) -> Tensor:
    """Images to calibrate the wire's codes on: victim-train, or noise where no data was given."""
    if data is not None:
        return data.victim_train.photos[:_CALIBRATION_IMAGES]
    shape = bundle.manifest.split.image.shape[1:]
    return torch.randn(8, *shape, generator=seeded(0))


@torch.no_grad()
def _record(
    found: Protected,
    settings: ProtectSettings,
    data: DataSplits | None,
    before: float | None,
    sample: Tensor,
) -> records.Protection:
    protection, halves = found.protection, found.split
    eps_shape = protection.eps_shape()
    user = None
    if data is not None and before is not None:
        draws = 1 if eps_shape is None else _DRAWS
        test = data.test.first(judged(halves))
        smashed = in_batches(halves.head, test.photos)
        noisy = smashing(protection, seeded(settings.seed + 1))
        scores = [accuracy(lambda x: halves.tail(noisy(x)), smashed, test.labels) for _ in range(draws)]
        user = records.AccuracyReport(
            images=len(smashed), draws=draws, unprotected=before, protected=sum(scores) / len(scores)
        )
    chosen: dict[str, float | str | None] = {**protection.settings(settings.options)}
    chosen |= {
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "max_accuracy_drop": settings.max_accuracy_drop,
        "min_pi": settings.min_pi,
        "strength": protection.strength.item(),
    }
    return records.Protection(
        method=settings.method,
        settings=chosen,
        seed=settings.seed,
        data=None if data is None else data.ref,
        eps=[] if eps_shape is None else [records.TensorSpec(name="eps", dtype="float32", shape=[-1, *eps_shape])],
        weights=records.FileRef(path="protection/weights.safetensors", sha256="0" * 64, bytes=0),
        trains_head=protection.trains_head,
        statistics=protection.statistics(halves.head(sample)),
        accuracy=user,
        wire_uint8=[wire_codes(found, sample)],
    )
