"""The manifest's record of a fitted protection: what it is, what it costs the user, how its messages are coded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from ..inference import in_batches, rows_at_once, seeded, smashing
from ..records import bundle as records
from .certificate import certify
from .codes import wire_codes
from .fitting import Fitted, judged
from .kept import kept
from .truths import truth_of
from .waist.tables import as_wire, coding_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ..bundle import Bundle
    from ..datasets._data import DataSplits
    from ..datasets._lazy import LazyImages
    from ..partition.split import Split
    from .settings import ProtectSettings

#: of eps for each image, where accuracies are measured
DRAWS = 5
#: photos that statistics and codes are measured on, and their features' bytes, at most
_CALIBRATION_IMAGES, _CALIBRATION_BYTES = 256, 1 << 30
#: test images that a waist's certificate is measured on
_CERTIFIED = 2000


@torch.no_grad()
def describe(
    bundle: Bundle,
    halves: Split,
    fitted: Fitted,
    settings: ProtectSettings,
    data: DataSplits | None,
    scratch: Path | None = None,
) -> records.Protection:
    """Describe a fitted protection.

    Args:
        bundle: whose head is protected.
        halves: the unprotected network.
        fitted: the protection at its final strength.
        settings: what the user chose.
        data: the four parts, or None where none was needed.
        scratch: a folder for features that memory has no room for, or None.
    """
    protection, narrow = fitted.protection, fitted.split
    eps_shape = protection.eps_shape()
    smashed = in_batches(narrow.head, _sample(bundle, data, narrow))
    chosen: dict[str, float | str | None] = {**protection.settings(dict(fitted.options))}
    chosen |= {
        "epochs": settings.passes,
        "batch_size": settings.batch_size,
        "max_accuracy_drop": settings.max_accuracy_drop,
        "min_pi": settings.min_pi,
        "strength": protection.strength.item(),
    }
    waist = certificate = None
    if fitted.waist is not None and data is not None:
        chosen |= {"max_bytes": settings.max_bytes, "answer": settings.answer}
        coding = coding_of(narrow.head, protection, data.victim_train, settings.seed + 2, pad=settings.pad)
        waist = records.Waist(
            shape=list(fitted.waist.geometry.shape),
            encoder_macs=fitted.waist.encoder_macs,
            decoder_macs=fitted.waist.decoder_macs,
            decoder_parameters=fitted.waist.decoder_parameters,
            coding=coding,
        )
        held = data.test.photos[:_CERTIFIED]
        certificate = certify(
            narrow, protection, coding, held, in_unit(held, bundle.manifest.preprocess), settings.seed + 3
        )
    return records.Protection(
        method=settings.method,
        settings=chosen,
        seed=settings.seed,
        data=None if data is None else data.ref,
        train=settings.trained,
        eps=[] if eps_shape is None else [records.TensorSpec(name="eps", dtype="float32", shape=[-1, *eps_shape])],
        noise=settings.noise,
        weights=records.FileRef(path="protection/weights.safetensors", sha256="0" * 64, bytes=0),
        trains_head=protection.trains_head or settings.trained == "all",
        statistics=protection.statistics(smashed),
        accuracy=None if data is None else _accuracy(halves, fitted, data, settings.seed + 1, scratch),
        wire_uint8=[wire_codes(protection, smashed) if waist is None else as_wire(waist)],
        waist=waist,
        certificate=certificate,
    )


def _accuracy(
    halves: Split, fitted: Fitted, data: DataSplits, seed: int, scratch: Path | None
) -> records.AccuracyReport:
    """Accuracy on the test images; where labels are missing, agreement with the unprotected network."""
    test = data.test.first(judged(halves))
    images, labels = test.photos, test.labels
    truth = truth_of(halves, images, labels)
    smashed = kept(fitted.head, images, scratch)
    noisy = smashing(fitted.protection, seeded(seed))
    draws = 1 if fitted.protection.eps_shape() is None else DRAWS
    rows = rows_at_once(smashed, 64, draws=True)
    shares = [truth.accuracy(lambda x: fitted.split.tail(noisy(x)), smashed, rows) for _ in range(draws)]
    return records.AccuracyReport(
        images=len(images),
        draws=draws,
        unprotected=truth.unprotected.mean().item(),
        protected=sum(shares) / len(shares),
        metric=truth.metric,
        labelled=truth.labelled,
    )


def _sample(bundle: Bundle, data: DataSplits | None, narrow: Split) -> Tensor | LazyImages:
    """Images to calibrate the wire's codes on: victim-train, or noise where no data was given."""
    if data is not None:
        room = _CALIBRATION_BYTES // (4 * math.prod(narrow.cut.shape))
        return data.victim_train.first(max(min(_CALIBRATION_IMAGES, room), 1)).photos
    shape = bundle.manifest.split.image.shape[1:]
    return torch.randn(8, *shape, generator=seeded(0))


def in_unit(images: Tensor, how: records.Preprocess) -> Tensor:
    """Undo the normalisation of images [N,C,H,W]: pixels in [0, 1]."""
    mean, std = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (how.mean, how.std))
    return (images * std + mean).div(how.value_range).clamp(0, 1)
