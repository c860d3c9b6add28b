"""Train a protection on the frozen network, set its strength, and fuse it into the bundle's head."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from ..bundle import write_atomically
from ..datasets._data import DataSplits, load_data
from ..errors import BundleError, InputError
from ..partition.split import load_split
from ..partition.weights import UnsafeFileError, load_tensors_only
from ..protections._training import in_batches
from ..protections.base import Protection, Training
from ..records import bundle as records
from ..records.tools import tool_versions
from .calibrate import calibrate_privacy, calibrate_strength
from .protected import Protected, features_of, protection_class, seeded, weights_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ..bundle import Bundle
    from ..partition.split import Split

Progress = Callable[[int, int, str], None]
_DRAWS = 5
_CALIBRATION_IMAGES = 256
#: share of protected values that the uint8 codes may clip, at each end
_CLIPPED = 0.0005


@dataclass(frozen=True)
class ProtectSettings:
    """What a user chooses. Both searches None: the strength stays as trained.

    Attributes:
        max_accuracy_drop: a share (0.01 = one percentage point); the strongest noise within it.
        min_pi: the weakest noise with at least this PI against a retrained attribute attacker.
    """

    method: str
    data: str | None = None
    max_accuracy_drop: float | None = None
    min_pi: float | None = None
    epochs: int = 16
    batch_size: int = 64
    seed: int = 0
    options: dict[str, float] = field(default_factory=dict)


def protect(
    bundle: Bundle,
    settings: ProtectSettings,
    *,
    progress: Progress = lambda done, total, text: None,
    resume: bool = False,
    fingerprint: str = "",
) -> records.Protection:
    """Protect a bundle's head. Converted heads, tail and goldens of an earlier protection go.

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
        needs=kind.fit is not Protection.fit or settings.max_accuracy_drop is not None or settings.min_pi is not None,
    )
    with bundle.extending() as stage:
        original_head = copy.deepcopy(halves.head) if kind.trains_head else halves.head
        before = (
            None
            if data is None
            else _accuracy(halves.tail, in_batches(halves.head, data.test.images), data.test.labels)
        )
        if data is not None:
            _fit(bundle, protection, halves.head, halves.tail, data, settings, progress, resume)
        protection.eval().requires_grad_(False)
        if data is not None:
            _set_strength(protection, original_head, halves, data, bundle, settings, progress)
        found = Protected(halves, protection)
        sample = _sample(bundle, data)
        record = _record(found, settings, data, before, sample)
        made = stage.scratch("protection")
        save_file(weights_of(halves.head, protection), made / "weights.safetensors")
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
    _checkpoint(bundle).unlink(missing_ok=True)
    return record


def _set_strength(
    protection: Protection,
    original_head: torch.nn.Module,
    halves: Split,
    data: DataSplits,
    bundle: Bundle,
    settings: ProtectSettings,
    progress: Progress,
) -> None:
    """Search the strength on victim-val, by the user's accuracy or by the attacker's success.

    Raises:
        InputError: no strength gives what was asked for.
    """
    held = data.victim_val
    if settings.max_accuracy_drop is not None:
        right = in_batches(halves.tail, in_batches(original_head, held.images)).argmax(1) == held.labels
        result = calibrate_strength(
            protection,
            halves.head,
            halves.tail,
            held.images,
            held.labels,
            max_drop=settings.max_accuracy_drop,
            draws=_DRAWS,
            seed=settings.seed,
            unprotected_right=right,
            progress=progress,
        )
        if not result.met:
            raise InputError(
                f"{settings.method} cannot keep the accuracy drop within {settings.max_accuracy_drop:.1%} even at its "
                "least strength; allow a larger --max-accuracy-drop, train longer, or choose another method or cut."
            )
    if settings.min_pi is not None:
        from ..evaluate.privacy_meter import pi_meter

        meter = pi_meter(
            original_head, halves.head, halves.tail, protection, data, bundle.manifest.preprocess, settings.seed
        )
        reached = calibrate_privacy(protection, meter, min_pi=settings.min_pi, progress=progress)
        if reached < settings.min_pi:
            raise InputError(
                f"{settings.method} reaches a PI of {reached:.2f} at its greatest strength, not {settings.min_pi:g}; "
                "ask for less, or choose another method or a later cut."
            )


def _data(bundle: Bundle, settings: ProtectSettings, *, needs: bool) -> DataSplits | None:
    if settings.data is None:
        if needs:
            raise InputError(
                f"Protecting with {settings.method} needs images; name them with --data, such as --data folder:DIR."
            )
        return None
    data = load_data(settings.data, bundle.manifest.preprocess)
    if len(data.classes) != len(bundle.manifest.labels):
        raise InputError(
            f"{settings.data} has {len(data.classes)} classes, the network {len(bundle.manifest.labels)}; "
            "give the data that the network was trained for."
        )
    return data


def _checkpoint(bundle: Bundle) -> Path:
    return bundle.root / ".checkpoint.pt"


def _fit(
    bundle: Bundle,
    protection: Protection,
    head: torch.nn.Module,
    tail: torch.nn.Module,
    data: DataSplits,
    settings: ProtectSettings,
    progress: Progress,
    resume: bool,
) -> None:
    path = _checkpoint(bundle)
    key = hashlib.sha256(
        json.dumps([bundle.manifest.bundle_id, repr(settings), protection.revision]).encode()
    ).hexdigest()

    def checkpoint(state: dict[str, object]) -> None:
        buffer = io.BytesIO()
        torch.save({"key": key, "state": state}, buffer)
        write_atomically(path, buffer.getvalue())

    protection.fit(
        Training(
            head=head,
            tail=tail,
            images=data.victim_train.images,
            labels=data.victim_train.labels,
            seed=settings.seed,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            options=settings.options,
            progress=progress,
            checkpoint=checkpoint,
            resume_from=_resumable(path, key) if resume else None,
        )
    )


def _resumable(path: Path, key: str) -> dict[str, object] | None:
    """Return the state of an interrupted training with the very same settings, or None to start anew."""
    if not path.is_file():
        return None
    try:
        saved = load_tensors_only(path)
    except (UnsafeFileError, RuntimeError, EOFError, OSError, ValueError, KeyError):
        raise BundleError(f"{path} is damaged; delete it and train again without --resume.") from None
    state = saved.get("state") if isinstance(saved, dict) and saved.get("key") == key else None
    return state if isinstance(state, dict) else None


def _sample(bundle: Bundle, data: DataSplits | None) -> Tensor:
    """Images to calibrate the wire's codes on: victim-train, or noise where no data was given."""
    if data is not None:
        return data.victim_train.images[:_CALIBRATION_IMAGES]
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
    accuracy = None
    if data is not None and before is not None:
        draws = 1 if eps_shape is None else _DRAWS
        smashed = in_batches(halves.head, data.test.images)
        generator = seeded(settings.seed + 1)
        scores = []
        for _ in range(draws):
            scores.append(_accuracy(halves.tail, in_batches(_noisy(protection, generator), smashed), data.test.labels))
        accuracy = records.AccuracyReport(
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
        data=settings.data,
        eps=None if eps_shape is None else records.TensorSpec(name="eps", dtype="float32", shape=[-1, *eps_shape]),
        weights=records.FileRef(path="protection/weights.safetensors", sha256="0" * 64, bytes=0),
        trains_head=protection.trains_head,
        statistics=protection.statistics(halves.head(sample)),
        accuracy=accuracy,
        wire_uint8=_wire_codes(found, sample),
    )


def _noisy(protection: Protection, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Return the protection as a function of the features alone, with fresh eps at each call."""

    def noisy(smashed: Tensor) -> Tensor:
        eps = protection.draw_eps(len(smashed), generator)
        protected: Tensor = protection(smashed) if eps is None else protection(smashed, eps)
        return protected

    return noisy


def _accuracy(tail: torch.nn.Module, smashed: Tensor, labels: Tensor) -> float:
    return (in_batches(tail, smashed).argmax(1) == labels).float().mean().item()


@torch.no_grad()
def _wire_codes(found: Protected, sample: Tensor) -> records.TensorSpec:
    """Affine uint8 codes per channel, from the range of protected features with their noise."""
    eps = found.protection.draw_eps(len(sample), seeded(2))
    protected = found.smash(sample, eps).transpose(0, 1).flatten(1)  # [C, values]
    values = protected.sort(dim=1).values
    clipped = int(_CLIPPED * values.shape[1])
    low = values[:, clipped].clamp(max=0.0)
    high = values[:, -1 - clipped].clamp(min=0.0)
    scale = ((high - low) / 255.0).clamp(min=1e-8)
    zero_point = (-low / scale).round().clamp(0, 255)
    return records.TensorSpec(
        name="smashed",
        dtype="uint8",
        shape=[-1, *found.split.cut.shape],
        scale=[float(value) for value in scale],
        zero_point=[int(value) for value in zero_point],
    )
