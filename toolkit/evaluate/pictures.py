"""Photos, reconstructions and W_A as small PNGs inside a report."""

from __future__ import annotations

import base64
import io

import torch
from PIL import Image
from torch import Tensor, nn

from ..protections.base import Protection
from ..records.privacy import HeatMap, Pictures
from .attacking import Setting
from .outcome import Outcome

_SHOWN = 4


def png(image: Tensor) -> str:
    """Encode one image [channels,H,W] in [0, 1], 1 or 3 channels, as base64 PNG."""
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def picture_grid(setting: Setting, before: Outcome, after: dict[str, Outcome]) -> list[Pictures]:
    """Choose the worst, median and best protected test photos by the strongest attack's SSIM.

    Args:
        setting: holds the photos.
        before: the attack on unprotected features.
        after: what to show -> the attack on protected features, the strongest first: it ranks.
    """
    first = next(iter(after.values()))
    if first.ssim is None:
        return []
    order = torch.argsort(first.ssim).tolist()
    middle = len(order) // 2
    chosen = [
        *(("worst protected", index) for index in reversed(order[-_SHOWN:])),
        *(("median", index) for index in order[middle : middle + _SHOWN]),
        *(("best protected", index) for index in order[:_SHOWN]),
    ]
    shown = {"without protection": before, **after}
    return [
        Pictures.model_validate(
            {
                "index": index,
                "rank": rank,
                "ssim": first.ssim[index].item(),
                "photo": png(setting.photos[index]),
                "rebuilt": [
                    (text, png(outcome.pictures[index]))
                    for text, outcome in shown.items()
                    if outcome.pictures is not None and index < len(outcome.pictures)
                ],
            }
        )
        for rank, index in chosen
    ]


@torch.no_grad()
def heat_maps(protection: Protection, head: nn.Module, setting: Setting) -> list[HeatMap]:
    """W_A over the first photos; empty for methods without an attention map."""
    share = getattr(protection, "share_of_noise", None)
    if share is None:
        return []
    count = 2 * _SHOWN
    weights = share(head(setting.test[:count]))
    low, high = weights.min().item(), weights.max().item()
    scaled = (weights - low) / max(high - low, 1e-6)
    return [
        HeatMap(
            index=index,
            photo=png(setting.photos[index]),
            weight=png(scaled[index]),
            low=low,
            high=high,
            mean=weights[index].mean().item(),
        )
        for index in range(min(count, len(setting.photos)))
    ]
