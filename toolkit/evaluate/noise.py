"""Where a phone's noise comes from, as far as it matters to an attacker: does a second look draw it again?

`fresh` draws anew for every message. `memoised` derives it from the photo and a secret of the device, so that the
same photo gives the same message; another photo, or another phone, draws independent noise.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

NoiseName = Literal["fresh", "memoised"]
Shape = tuple[int, ...]


class NoiseSource(Protocol):
    """How phones draw eps, standard normal [B,n,*shape] for n messages of each of B photos."""

    def draw(
        self, photos: int, looks: int, shape: tuple[int, ...], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw the noise in the messages, and what another phone draws at the moments of the first looks.

        Returns:
            eps [B,n,*shape] and guess [B,*shape].
        """


class Fresh:
    """The system's secure generator, for every message."""

    def draw(
        self, photos: int, looks: int, shape: tuple[int, ...], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Independent everywhere."""
        eps = torch.randn((photos, looks, *shape), generator=generator)
        return eps, torch.randn((photos, *shape), generator=generator)


class Memoised:
    """A keyed hash of the photo seeds the noise: independent between photos and phones, the same for every look."""

    def draw(
        self, photos: int, looks: int, shape: tuple[int, ...], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Independent per photo, equal over the looks."""
        once = torch.randn((photos, 1, *shape), generator=generator)
        return once.expand(-1, looks, *shape), torch.randn((photos, *shape), generator=generator)


def source_of(name: NoiseName) -> NoiseSource:
    """The noise source that a manifest names."""
    return Memoised() if name == "memoised" else Fresh()
