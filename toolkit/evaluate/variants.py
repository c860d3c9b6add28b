"""Near-duplicates of photos: what the next frame of a video, or a copy sent on by a messenger, looks like."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

#: pixels at a side of 32; larger photos move further
_SHIFT = 2
_BRIGHTNESS = 0.06
_QUALITY = (60, 95)


def near_duplicates(photos: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Make versions of photos [B,channels,H,W] in [0, 1]: shifted, brighter or darker, compressed again.

    Returns:
        [B,count,channels,H,W]; the first version is the photo itself.
    """
    versions = [photos]
    for _ in range(count - 1):
        versions.append(torch.stack([_version(photo, generator) for photo in photos]))
    return torch.stack(versions, 1)


def _version(photo: Tensor, generator: torch.Generator) -> Tensor:
    reach = max(round(_SHIFT * photo.shape[1] / 32), 1)
    down, across = (int(torch.randint(0, 2 * reach + 1, (), generator=generator)) for _ in range(2))
    height, width = photo.shape[1:]
    padded = functional.pad(photo[None], (reach,) * 4, mode="replicate")[0]
    moved = padded[:, down : down + height, across : across + width]
    light = 1.0 + _BRIGHTNESS * (2.0 * torch.rand((), generator=generator) - 1.0)
    pixels = ((moved * light).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    quality = int(torch.randint(_QUALITY[0], _QUALITY[1] + 1, (), generator=generator))
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, format="JPEG", quality=quality)
    again = np.asarray(Image.open(buffer), dtype=np.float32) / 255
    return torch.from_numpy(again).reshape(height, width, -1).permute(2, 0, 1)
