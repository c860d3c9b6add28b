"""No protection: the smashed features as they are. The reference that PA and PI are measured against."""

from __future__ import annotations

from torch import Tensor

from .base import Protection


class NoProtection(Protection):
    """Passes the features through."""

    trains = "nothing"

    def eps_shape(self) -> None:
        """Take no noise."""
        return

    def forward(self, smashed: Tensor, eps: Tensor | None = None) -> Tensor:
        """Return smashed [B,C,h,w] itself."""
        return smashed
