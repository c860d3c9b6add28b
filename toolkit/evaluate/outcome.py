"""What one attack on one victim achieved, photo by photo.

Notation: N test images.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..attacks.base import Training

#: re-identification asks among this many photos, as far as there are enough test images
AMONG = (100, 1000)


@dataclass(frozen=True)
class Outcome:
    """What an attack achieved. Shares are in [0, 1].

    Attributes:
        success: [N] per test image: mean probability, over draws, of the truth.
        right: [N] share of draws with the right answer: the attribute, or the class that the judge recognises.
        chance: accuracy without looking.
        ssim, psnr, mse: [N] mean over draws; None for attributes.
        distance: [N] distance to the photo in the judge's feature space, 1 = a random other photo's; None likewise.
        identified: [N,k] success of re-identification among `crowds` photos; None for attributes.
        crowds: k numbers.
        pictures: [N,channels,H,W] in [0, 1], reconstructions of the first draw; None for attributes.
        trainings: how the attacker's networks were trained.
    """

    success: Tensor
    right: Tensor
    chance: float
    ssim: Tensor | None = None
    psnr: Tensor | None = None
    mse: Tensor | None = None
    distance: Tensor | None = None
    identified: Tensor | None = None
    pictures: Tensor | None = None
    crowds: tuple[int, ...] = AMONG
    trainings: tuple[Training, ...] = ()

    @property
    def images(self) -> int:
        """How many test images were attacked."""
        return len(self.success)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right.mean().item()
