"""A point in space that says who or what it is: faces, places, products. Near points are the same."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .base import Answers, Facts, Task

#: usual lengths of an embedding, for networks that nothing else identifies
_USUAL = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536, 2048)
_MADE_UNIT = ("div", "linalg_vector_norm", "norm", "l2_normalize", "clamp_min")


class Embed(Task):
    """An embedding [B,D] in the first output, compared by cosine.

    Accepted as the same: a cosine above what the share `false_accept` of pairs of different photos exceeds.
    """

    metric = "retrieval top-1"
    agreement = "verification at a fixed false-accept rate"
    uses_labels = True
    settings: ClassVar[dict[str, float]] = {"false_accept": 0.001}

    @classmethod
    def fits(cls, facts: Facts) -> float:
        """One output [B,D] that is brought to unit length, or has a usual length and no class names."""
        (first, *others) = facts.outputs
        if others or first.whole or len(first.shape) != 1 or first.shape[0] < 16:
            return 0.0
        if first.last and first.last[0] in _MADE_UNIT and set(first.last) & {"linalg_vector_norm", "norm"}:
            return 0.95
        return 0.7 if first.shape[0] in _USUAL and not facts.labelled else 0.0

    def keep(self, answers: Answers) -> Answers:
        """The embedding at unit length [B,D]."""
        return (functional.normalize(answers[0].flatten(1), dim=1),)

    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """1 where a photo's embedding is accepted as that of the very same photo."""
        truth = wanted[0]
        same = (kept[0] * truth).sum(1)
        return (same >= self.threshold(truth)).float()

    def threshold(self, embeddings: Tensor) -> float:
        """The cosine that `false_accept` of the pairs of different photos [N,D] exceed."""
        some = embeddings[:2000]
        if len(some) < 2:
            return 0.0
        cosines = (some @ some.T)[~torch.eye(len(some), dtype=torch.bool)]
        count = max(int(self.chosen["false_accept"] * len(cosines)), 1)
        return float(cosines.topk(count).values[-1])

    def right(self, kept: Answers, labels: Tensor) -> Tensor:
        """1 where the nearest other photo of the set has the same label."""
        points = kept[0]
        found = torch.zeros(len(points))
        for index in torch.arange(len(points)).split(512):
            cosines = points[index] @ points.T
            cosines[torch.arange(len(index)), index] = -2.0
            found[index] = (labels[cosines.argmax(1)] == labels[index]).float()
        return found

    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """One minus the cosine, and the shape of the batch: how near its photos are to each other."""
        mine, truth = (functional.normalize(value[0].flatten(1), dim=1) for value in (answers, wanted))
        apart = functional.mse_loss(mine @ mine.T, truth @ truth.T)
        return (1 - (mine * truth).sum(1)).mean() + apart
