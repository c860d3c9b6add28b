"""The tail in int8, behind a gate: it ships only if it keeps the user's accuracy on images that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..datasets._recorded import recorded_data
from ..errors import InputError
from ..inference import seeded
from ..tasks._truth import Truth, truth_for

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ..protect.protected import Protected
    from ..records.bundle import Manifest

#: protected features to calibrate activations on, in batches, and validation images to judge on
_BATCHES, _BATCH = 8, 32
_MOST_JUDGED = 2000


@dataclass(frozen=True)
class Gate:
    """What the two tails are right about: shares in [0, 1] of the same validation images, with the same noise."""

    fp32: float
    int8: float
    images: int

    def __str__(self) -> str:
        return f"the int8 tail is right about {self.int8:.2%} of {self.images} validation images, fp32 {self.fp32:.2%}"


def int8_tail(
    found: Protected, manifest: Manifest, model: Path, out: Path, max_drop: float, data: str | None = None
) -> Gate:
    """Quantise a tail, calibrated on protected features with their noise, and judge it on other such features.

    Args:
        found: the protected head and its tail.
        manifest: names the data.
        model: the tail as .onnx, float32.
        out: the int8 .onnx to write.
        max_drop: accuracy, as a share, that it may lose against `model`.
        data: where the photos are now; None: where the manifest says.

    Raises:
        InputError: the bundle has no data to judge on, or the int8 tail loses more than `max_drop`.
        ConverterError: onnxruntime cannot quantise this tail.
    """
    from converters.to_onnx import tail_to_int8

    photos = recorded_data(manifest, data)
    if photos is None:
        raise InputError(
            "An int8 tail needs images to be calibrated and judged on, and this bundle was protected without any; "
            "protect it with --data, or package with --tail-precision fp32."
        )
    smashed = _protected(found, photos.victim_train.photos[: _BATCHES * _BATCH], seed=5)
    tail_to_int8(model, [part.numpy() for part in smashed.split(_BATCH)], out)
    held = photos.victim_val.first(_MOST_JUDGED)
    judged = _protected(found, held.images, seed=6)
    truth = truth_for(found.split.task, found.split.tail, judged, held.labels)
    gate = Gate(_accuracy(model, judged, truth), _accuracy(out, judged, truth), len(judged))
    if gate.fp32 - gate.int8 > max_drop:
        raise InputError(
            f"The int8 tail was not packaged: {gate}, a loss of more than {max_drop:.2%}; "
            "allow more with --max-tail-drop, or package with --tail-precision fp32."
        )
    return gate


def _protected(found: Protected, images: Tensor, seed: int) -> Tensor:
    eps = found.protection.draw_eps(len(images), seeded(seed))
    with torch.no_grad():
        return torch.cat(
            [
                found.smash(images[part], None if eps is None else eps[part])
                for part in torch.arange(len(images)).split(_BATCH)
            ]
        )


def _accuracy(model: Path, smashed: Tensor, truth: Truth) -> float:
    """How right an .onnx tail is, in onnxruntime as in the server."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return truth.accuracy(lambda x: torch.from_numpy(session.run(["logits"], {"smashed": x.numpy()})[0]), smashed)
