"""The affine uint8 codes that protected features cross the network in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..inference import rows_at_once, seeded, smash
from ..records import bundle as records

if TYPE_CHECKING:
    from torch import Tensor

    from ..protections.base import Protection

#: share of protected values that the uint8 codes may clip, at each end
_CLIPPED = 0.0005


@torch.no_grad()
def wire_codes(protection: Protection, smashed: Tensor) -> records.TensorSpec:
    """Affine uint8 codes per channel, from the range of features [N,C,h,w] once they are protected."""
    generator = seeded(2)
    clipped = int(_CLIPPED * smashed[:, 0].numel())
    low = high = smashed.new_empty((smashed.shape[1], 0))
    for part in smashed.split(rows_at_once(smashed, draws=True)):
        values = smash(protection, part, generator).transpose(0, 1).flatten(1)  # [C, values]
        # only what may be clipped is kept: all protected values would be as large as the features, and sorting larger
        low = _least(torch.cat([low, values], 1), clipped + 1)
        high = -_least(-torch.cat([high, values], 1), clipped + 1)
    low, high = low.amax(1).clamp(max=0.0), high.amin(1).clamp(min=0.0)
    scale = ((high - low) / 255.0).clamp(min=1e-8)
    zero_point = (-low / scale).round().clamp(0, 255)
    return records.TensorSpec(
        name="smashed",
        dtype="uint8",
        shape=[-1, *smashed.shape[1:]],
        scale=[float(value) for value in scale],
        zero_point=[int(value) for value in zero_point],
    )


def _least(values: Tensor, count: int) -> Tensor:
    """The least `count` of each row of values [C,n]; all of them where there are fewer."""
    return values.topk(min(count, values.shape[1]), dim=1, largest=False, sorted=False).values
