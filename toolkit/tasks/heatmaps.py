"""Where things are: one map per point of interest, its peak is the answer (poses, landmarks)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import Answers, Facts, Task, mean_loss


class Heatmaps(Task):
    """Maps [B,K,h,w] in the first output; a peak within `radius` of the map's diagonal is where it should be."""

    metric = "peaks within the radius"
    agreement = "peaks within the radius of the unprotected network's"
    settings: ClassVar[dict[str, float]] = {"radius": 0.05}

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """Class maps look the same, so that it is likely only where no class could be meant."""
        shape = facts.outputs[0].shape
        return 0.3 if len(shape) == 3 and not facts.outputs[0].whole else 0.0

    def keep(self, answers: Answers) -> Answers:
        """Row and column of each peak [B,K,2], as shares of the map's diagonal."""
        maps = answers[0]
        height, width = maps.shape[2:]
        at = maps.flatten(2).argmax(2)
        places = torch.stack([at // width, at % width], 2).float()
        return (places / (height**2 + width**2) ** 0.5,)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """Share of the points whose peaks are within the radius."""
        distance = (kept[0] - wanted[0]).square().sum(2).sqrt()
        return (distance <= self.chosen["radius"]).float().mean(1)

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Squared error of the maps."""
        return mean_loss(answers[:1], wanted[:1])
