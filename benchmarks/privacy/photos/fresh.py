"""Photos seen anew in every step, and the unprotected network's answer to just what the phone's part is given.

A patient teacher (Beyer et al., CVPR 2022): teacher and student see the same crop and the same mixture, and never the
same twice. Costs the unprotected network's forward pass in each step; files of stored views cannot do it.
"""

from dataclasses import dataclass

import data
import torch
from stored import SHIFT, merged
from torch import Tensor, nn


@dataclass
class Fresh:
    """Draws batches: `trunk` is the part of the head that never changes, `untouched` the network behind it."""

    trunk: nn.Module
    untouched: nn.Module
    photos: Tensor
    task: str
    mix: float

    @torch.no_grad()
    def batch(self, index: Tensor, generator: torch.Generator, *, mixed: bool) -> tuple[Tensor, Tensor]:
        """Return what the trunk gives for these photos [B,...], and the unprotected answer to it [B,K]."""
        seen = data.augment(self.photos[index], generator, SHIFT)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.trunk(data.normalise(data.unit(seen)))
            if mixed:
                maps = mixture(maps, self.mix, generator)
            return maps, merged(self.untouched(maps).float(), self.task)


def mixture(maps: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Mix a `share` of the batch [B,...] with one another, in any proportion."""
    part = torch.rand(len(maps), 1, 1, 1, generator=generator)
    part[torch.rand(len(maps), generator=generator) > share] = 0.0
    return (maps + part * (maps.flip(0) - maps)).to(maps.dtype)
