"""A class for every pixel: masks."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .base import Answers, Facts, Task, soft_loss

#: a map has at least this share of the image's height
_LEAST_SIDE = 1 / 16


class Segment(Task):
    """Logits [B,K,h,w] in the first output; with K = 1 a pixel is in the mask above `threshold`."""

    metric = "mIoU"
    agreement = "mIoU with the unprotected network"
    settings: ClassVar[dict[str, float]] = {"threshold": 0.0}

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """The first output is a map of classes, or of one probability."""
        shape, last = facts.outputs[0].shape, facts.outputs[0].last
        if len(shape) != 3 or facts.outputs[0].whole or shape[1] < facts.image[1] * _LEAST_SIDE:
            return 0.0
        if shape[0] == 1:
            return 0.8 if last[:1] == ("sigmoid",) else 0.0
        return 0.8

    @classmethod
    def settings_for(cls, facts: Facts) -> dict[str, float]:
        """Probabilities are cut at a half, logits at 0."""
        return {"threshold": 0.5} if facts.outputs[0].last[:1] == ("sigmoid",) else {}

    def keep(self, answers: Answers) -> Answers:
        """The class of each pixel [B,h,w], uint8."""
        maps = answers[0]
        if maps.shape[1] == 1:
            return ((maps[:, 0] > self.chosen["threshold"]).to(torch.uint8),)
        return (maps.argmax(1).to(torch.uint8 if maps.shape[1] <= 256 else torch.int32),)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """Mean, over the classes that either has in the photo, of intersection over union."""
        mine, truth = kept[0].flatten(1), wanted[0].flatten(1)
        total, count = torch.zeros(len(mine)), torch.zeros(len(mine))
        for label in torch.unique(torch.cat([mine.unique(), truth.unique()])):
            one, other = mine == label, truth == label
            either = (one | other).sum(1).float()
            total += (one & other).sum(1).float() / either.clamp(min=1)
            count += (either > 0).float()
        return total / count.clamp(min=1)

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """Divergence from the unprotected network's distribution at every pixel."""
        mine, truth = answers[0], wanted[0]
        if mine.shape[1] > 1:
            return soft_loss(mine, truth)
        if self.chosen["threshold"] > 0:  # probabilities
            return functional.binary_cross_entropy(mine.clamp(1e-6, 1 - 1e-6), truth.clamp(0, 1))
        return functional.binary_cross_entropy_with_logits(mine, truth.sigmoid())

    def groups(self, kept: Answers) -> tuple[Tensor, int]:
        """By a coarse look at the masks."""
        small = functional.adaptive_avg_pool2d(kept[0][:, None].float(), 4)
        return super().groups((small,))
