"""The last step of a head whose output is codes: affine, per channel, exactly as they cross the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ._tensors import TensorSpec


class Codes(nn.Module):
    """Features [B,C,h,w] -> codes of the same shape: round half to even of x / scale, plus zero point, clipped.

    The tail's `cloud_tail.wire.quantise` does the same arithmetic in the same order, so a head that emits codes and a
    client that makes them of float features agree.

    Args:
        spec: of the output; its `scale` and `zero_point` are used, its `dtype` is what the codes are stored as, and its
            `levels`, if any, say where they end.
    """

    scale: Tensor
    zero_point: Tensor
    tops: Tensor | None

    def __init__(self, spec: TensorSpec) -> None:
        super().__init__()
        per_channel = (1, -1) + (1,) * (len(spec.shape) - 2)
        self.register_buffer("scale", torch.tensor(spec.scale, dtype=torch.float32).reshape(per_channel))
        self.register_buffer("zero_point", torch.tensor(spec.zero_point, dtype=torch.float32).reshape(per_channel))
        # one number where all channels have as many levels: a clamp, which every delegate takes
        self._top = float(min(spec.levels) - 1 if spec.levels else 255)
        self.register_buffer("tops", None)
        if spec.levels and len(set(spec.levels)) > 1:
            self.tops = torch.tensor(spec.levels, dtype=torch.float32).reshape(per_channel) - 1.0
        self._dtype: torch.dtype = getattr(torch, spec.dtype)
        self._in_units = set(spec.scale or ()) == {1.0}  # as behind a waist: nothing to divide by

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B,C,h,w], float32, to codes."""
        codes = torch.round(features if self._in_units else features / self.scale) + self.zero_point
        if self.tops is not None:
            return torch.minimum(codes.clamp(min=0.0), self.tops).to(self._dtype)
        return codes.clamp(0.0, self._top).to(self._dtype)
