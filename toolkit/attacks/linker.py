"""Linker: which of these photos is it? No picture is drawn.

A network learns by contrast to map a message to its photo's place in the feature space of the user's network, which
whoever serves the tail has. Photos that somebody holds can then be matched with messages. Source: the contrastive
loss of van den Oord et al., 2018, arXiv 1807.03748. [ours] the space's directions count by the root of how much they
vary, so that those in which few photos differ count too.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._fitting import applied, fit, split_of
from ._networks import LargeClassifier
from ._observing import examples, reader
from .base import Knowledge, Linking, Messages

#: of the space, at most; the others hardly vary
_DIRECTIONS = 128
#: cosine similarities lie between -1 and 1; times this they are logits
_HEAT = 12.0
#: of the mean variance: what varies less is not blown up
_LEAST = 0.05


class Linker(Linking):
    """Point at the photo that a message was made from."""

    yields: ClassVar = frozenset({"links"})
    work: ClassVar = {"large": 1.0}

    def __init__(self) -> None:
        self._model: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Learn the space from the attacker's photos, then the way from messages to it.

        Raises:
            ValueError: the knowledge holds no landmarks.
        """
        if knowledge.landmarks is None:
            raise ValueError("a linker needs the features of its own photos")
        self._knowledge, self._read = knowledge, reader(knowledge)
        landmarks = knowledge.landmarks()
        learn, _ = split_of(knowledge)
        self._measure(landmarks[learn])
        wanted = self.place(landmarks)

        def arguments(index: Tensor) -> tuple[Tensor, ...]:
            return self._read(knowledge.observe(index))

        def loss_of(made: Tensor, index: Tensor) -> Tensor:
            near = functional.normalize(made, dim=1) @ wanted[index].to(made.device).T
            return functional.cross_entropy(_HEAT * near, torch.arange(len(index), device=made.device))

        shapes = examples(knowledge, arguments)
        self._model = fit(
            knowledge,
            lambda: LargeClassifier(shapes, wanted.shape[1], knowledge.budget.width),
            loss_of,
            text="linker",
            arguments=arguments,
        )

    def place(self, landmarks: Tensor) -> Tensor:
        """Where photos with these features [M,F] lie: [M,D], of length 1."""
        return functional.normalize((landmarks - self._centre) @ self._directions, dim=1)

    def run(self, messages: Messages) -> Tensor:
        """Where the photos of B messages lie: [B,D], of length 1."""
        if self._model is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        return functional.normalize(applied(self._model, self._read(messages), self._knowledge.device), dim=1)

    def _measure(self, landmarks: Tensor) -> None:
        self._centre = landmarks.mean(0, keepdim=True)
        centred = landmarks - self._centre
        variances, basis = torch.linalg.eigh(centred.T @ centred / len(centred))
        kept = min(_DIRECTIONS, len(variances))
        variances, basis = variances[-kept:].clamp(min=0), basis[:, -kept:]
        self._directions = basis * (variances + _LEAST * variances.mean() + 1e-12).pow(-0.25)
