"""Train a protection on the frozen network, set its strength, and fuse it into the bundle's head."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from ..datasets._chance import refuse_chance
from ..datasets._data import DataSplits, load_data
from ..errors import InputError
from ..partition.split import Split, load_split
from ..protections._devices import ALONE, Devices
from ..protections.base import Protection
from ..records import bundle as records
from ..records.tools import tool_versions
from ..tasks._guess import task_class
from ..tasks.classify import Classify
from .calibrate import calibrate_privacy
from .checkpoint import Checkpoint
from .describe import DRAWS, describe
from .fitting import WAIST_DROP, Fitted, Fitting, Progress, fit_and_calibrate, judged, quietly, weights_of
from .protected import features_of, protection_class
from .settings import ProtectSettings, Train
from .truths import truth_of
from .waist.geometry import of_colour, of_places
from .waist.phases import ENOUGH, in_two_phases, usual_epochs

if TYPE_CHECKING:
    from ..bundle import Bundle

#: given a seed too, makes a function that measures PI at the protection's present strength, with a retrained attacker
Meter = Callable[[Split, Fitted, DataSplits, records.Preprocess, int], Callable[[], float]]


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
        tell: called with how long it will take and what it will use.

    Raises:
        InputError: unknown method or option, or data that does not fit.
        BundleError: the cut has no positions to protect, or the bundle cannot be written.
    """
    kind = protection_class(settings.method)
    halves = load_split(bundle)
    fitted = Fitted(halves, kind.build(features_of(halves.cut.shape), settings.options), None, options=settings.options)
    searches = settings.max_accuracy_drop is not None or settings.min_pi is not None
    trains = kind.fit is not Protection.fit or settings.train in ("waist", "all") or bool(settings.of_a_waist)
    data = _data(bundle, settings, progress, needs=trains or searches)
    settings = with_train(settings, halves, data, tell)
    if data is not None and not settings.anyway:
        _refuse_foreign(bundle, halves, data, settings, devices)
    kept = Checkpoint(bundle, settings, kind.revision)
    with bundle.extending() as stage:
        if data is not None:
            fitted = fit_and_calibrate(
                halves, data, _fitting(settings), progress=progress, checkpoint=kept.save,
                resume_from=kept.load() if resume else None, devices=devices, scratch=stage.folder, tell=tell,
            )  # fmt: skip
            _check(fitted, settings)
            if settings.min_pi is not None:
                measure = _needed(meter)(halves, fitted, data, bundle.manifest.preprocess, settings.seed)
                _reach(settings, fitted, measure, progress)
        fitted.protection.eval().requires_grad_(False)
        record = describe(bundle, halves, fitted, settings, data, stage.folder)
        _check_bytes(record, settings)
        made = stage.scratch("protection")
        save_file(weights_of(fitted, settings.train), made / "weights.safetensors")
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


def _refuse_foreign(
    bundle: Bundle, halves: Split, data: DataSplits, settings: ProtectSettings, devices: Devices
) -> None:
    """Look at the network's accuracy on the test part, before anything is trained on data that may not be its own.

    Raises:
        InputError: it is near chance, or far below what the bundle records.
    """
    test = data.test.first(judged(halves))
    if not isinstance(halves.task, Classify):
        return  # what is chance for other answers, nobody knows
    (answers,) = truth_of(halves, test.photos, test.labels, devices).wanted
    refuse_chance(answers, test.labels, settings.data or "", bundle.manifest.model.accuracy)


def join(bundle: Bundle, settings: ProtectSettings, devices: Devices, *, resume: bool = False) -> None:
    """Train in a process that is not the first: the same photos in the same order, and nothing is written."""
    kind, halves = protection_class(settings.method), load_split(bundle)
    if settings.data is None:
        return
    data = load_data(settings.data, bundle.manifest.preprocess, labels=_labels(bundle))
    settings = with_train(settings, halves, data)
    if kind.fit is Protection.fit and settings.train == "injector":
        return
    kept = Checkpoint(bundle, settings, kind.revision)
    state = kept.load() if resume else None
    fit_and_calibrate(halves, data, _fitting(settings), resume_from=state, devices=devices)


def with_train(
    settings: ProtectSettings, halves: Split, data: DataSplits | None, tell: Callable[[str], None] = lambda text: None
) -> ProtectSettings:
    """Choose what is trained, and how long, where the user left it open, and tell why."""
    count = 0 if data is None else len(data.victim_train)
    train = _usual_train(settings, halves, count, tell) if settings.train == "auto" else settings.train
    two_phases = in_two_phases(train, count, places=of_places(halves.task.shapes))
    epochs = settings.epochs or usual_epochs(count, two_phases=two_phases)
    return settings.model_copy(update={"train": train, "epochs": epochs})


def _usual_train(settings: ProtectSettings, halves: Split, count: int, tell: Callable[[str], None]) -> Train:
    photos = of_colour(halves.image) and settings.method != "none" and settings.min_pi is None
    if settings.of_a_waist or (photos and count >= ENOUGH):
        tell(f"training a waist, head and tail on {count} photos (--train all); --train injector leaves both untouched")
        return "all"
    if photos and count:
        tell(
            f"training the injector alone: {count} photos are fewer than the {ENOUGH} that a waist wants. Of colour "
            "photos it hides little (docs/privacy.md); --train waist or all tries all the same."
        )
    return "injector"


def _fitting(settings: ProtectSettings) -> Fitting:
    return Fitting(
        method=settings.method,
        options=settings.options,
        epochs=settings.passes,
        batch_size=settings.batch_size,
        seed=settings.seed,
        max_drop=settings.max_accuracy_drop,
        draws=DRAWS,
        train=settings.trained,
        channels=settings.channels,
        stride=settings.stride,
        encoder=settings.encoder,
        encoder_work=settings.encoder_work,
        answer=settings.answer,
        max_bytes=settings.max_bytes,
    )


def _check_bytes(record: records.Protection, settings: ProtectSettings) -> None:
    found = record.certificate
    if settings.max_bytes is None or found is None or found.message_bits_mean <= 8 * settings.max_bytes:
        return
    raise InputError(
        f"A message has {found.message_bits_mean / 8:.0f} bytes on average, more than the {settings.max_bytes} of "
        "--max-bytes; train longer (--epochs), allow more bytes or a larger --max-accuracy-drop, or cut later."
    )


def _check(fitted: Fitted, settings: ProtectSettings) -> None:
    found = fitted.calibration
    if found is None or found.met:
        return
    if fitted.waist is None:
        raise InputError(
            f"{settings.method} cannot keep the accuracy drop within {settings.max_accuracy_drop:.1%} even at its "
            "least strength; allow a larger --max-accuracy-drop, train longer, or choose another method or cut."
        )
    lost = found.unprotected - found.protected
    size = "" if settings.max_bytes is None else f" in {settings.max_bytes} bytes a message"
    allowed = WAIST_DROP if settings.max_accuracy_drop is None else settings.max_accuracy_drop
    raise InputError(
        f"{settings.method} with this waist costs {lost:.1%} of the accuracy{size}, more than {allowed:.1%}; train "
        "longer with --epochs, allow more with --max-accuracy-drop (what was trained is kept: add --resume), "
        "--max-bytes or --channels, or choose --train all or a later cut."
    )


def _needed(meter: Meter | None) -> Meter:
    if meter is None:
        raise TypeError("min_pi needs an attacker: pass meter=toolkit.evaluate.pi_meter")
    return meter


def _reach(settings: ProtectSettings, fitted: Fitted, measure: Callable[[], float], progress: Progress) -> None:
    wanted = settings.min_pi or 0.0
    # a waist's decoder has learned to cope with the noise it was trained with: less of it gains nothing
    least = 0.0 if fitted.waist is None else 1.0
    reached = calibrate_privacy(fitted.protection, measure, min_pi=wanted, least=least, progress=progress)
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
    return load_data(settings.data, bundle.manifest.preprocess, labels=_labels(bundle), progress=progress)


def _labels(bundle: Bundle) -> list[str] | None:
    """The network's classes, which those of the data are paired with; None where its labels name channels."""
    return bundle.manifest.labels if task_class(bundle.manifest.task.name).uses_labels else None
