"""Accuracy against bytes: the bundle's messages beside what a phone could send instead of them.

The alternatives are the unprotected features as float32 and in eight bits, and the photo itself as JPEG and WebP of
several qualities, decoded again and answered by the unprotected network. None of them hides anything.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from ..records.privacy import RatePoint
from ..tasks._truth import Truth, kept_answers, truth_for
from .units import from_unit

if TYPE_CHECKING:
    from .features import Tensors
    from .running import Run
    from .victim import UserSide

#: qualities of the photo's files
_QUALITIES = (5, 15, 30, 50, 75, 90)
#: test photos that are encoded; fewer where photos are large, since each is classified once per file
_PHOTOS, _PHOTOS_LARGE, _LARGE = 200, 64, 96


def rates(run: Run, user: UserSide) -> list[RatePoint]:
    """Measure every way to send a photo, on the first test photos; `user` is what the bundle does."""
    photos = run.setting.photos
    count = min(len(photos), _PHOTOS_LARGE if max(photos.shape[2:]) >= _LARGE else _PHOTOS)
    images, photos = run.setting.test[:count], photos[:count]
    halves, how = run.split, run.setting.preprocess

    def network(part: Tensor) -> Tensor:
        answers: Tensor = halves.tail(halves.head(part))
        return answers

    labels = run.setting.labels[:count] if run.labelled else None
    truth = truth_for(halves.task, network, images, labels)
    found = [
        RatePoint(
            way="message",
            bytes=user.message_bytes[:count].float().mean().item(),
            accuracy=user.per_input[:count].mean().item(),
        )
    ]
    features = run.unprotected.smashed(run.setting.test)
    found += _features(tuple(one[:count] for one in features), run, truth)
    for way in ("JPEG", "WebP"):
        for quality in _QUALITIES:
            decoded, size = _through_file(photos, way, quality)
            accuracy = truth.accuracy(network, from_unit(decoded, how))
            found.append(RatePoint(way=way, quality=quality, bytes=size, accuracy=accuracy))
    return found


def _features(features: Tensors, run: Run, truth: Truth) -> list[RatePoint]:
    """The unprotected features as they are, and in 256 even steps."""
    values = sum(one[0].numel() for one in features)
    found = [RatePoint(way="float32 features", bytes=4.0 * values, accuracy=truth.unprotected.mean().item())]
    coarse = []
    for one in features:
        low, high = one.min(), one.max()
        step = (high - low).clamp(min=1e-12) / 255
        coarse.append(((one - low) / step).round() * step + low)
    index = torch.arange(len(features[0]))

    def tail(rows: Tensor) -> Tensor:
        answers: Tensor = run.split.tail(*(one[rows] for one in coarse))
        return answers

    kept = kept_answers(run.split.task, tail, index)
    found.append(RatePoint(way="uint8 features", bytes=float(values), accuracy=truth.right(kept).mean().item()))
    return found


def _through_file(photos: Tensor, way: str, quality: int) -> tuple[Tensor, float]:
    """Encode and decode photos [N,C,H,W] in [0, 1]: what is left of them, and the files' mean bytes."""
    decoded, size = [], 0
    for photo in photos:
        pixels = (photo * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        grey = pixels.shape[2] == 1
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if grey else pixels).save(buffer, format=way, quality=quality)
        size += len(buffer.getvalue())
        again = Image.open(buffer).convert("L" if grey else "RGB")
        flat = torch.frombuffer(bytearray(again.tobytes()), dtype=torch.uint8)
        decoded.append(flat.view(again.height, again.width, -1).permute(2, 0, 1).float() / 255)
    return torch.stack(decoded), size / len(photos)
