"""Bytes that cross for a photo, beside those of the photo itself."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from ..records.privacy import MessageSize

_MEASURED = 200
_QUALITY = 75


def message_size(photos: Tensor, lengths: Tensor) -> MessageSize:
    """Measure messages, and up to 200 photos as PNG and JPEG.

    Args:
        photos: [N,channels,H,W] in [0, 1], at the network's input size.
        lengths: [N] bytes of each photo's message.
    """
    some = photos[:_MEASURED]
    return MessageSize(
        mean=lengths.float().mean().item(),
        p99=torch.quantile(lengths.float(), 0.99).item(),
        png=sum(_encoded(photo, format="PNG", optimize=True) for photo in some) / len(some),
        jpeg=sum(_encoded(photo, format="JPEG", quality=_QUALITY) for photo in some) / len(some),
    )


def _encoded(photo: Tensor, **how: object) -> int:
    pixels = (photo.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, **how)  # type: ignore[arg-type]
    return len(buffer.getvalue())
