"""The affine uint8 codes that protected features cross the network in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..inference import seeded
from ..records import bundle as records

if TYPE_CHECKING:
    from torch import Tensor

    from .protected import Protected

#: share of protected values that the uint8 codes may clip, at each end
_CLIPPED = 0.0005


@torch.no_grad()
def wire_codes(found: Protected, sample: Tensor) -> records.TensorSpec:
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
