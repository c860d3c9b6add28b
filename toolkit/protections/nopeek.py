"""NoPeek: the head is fine-tuned until its output depends less on the image.

Source: Vepakomma et al., "NoPeek: Information leakage reduction to share activations in distributed deep
learning", ICDM Workshops 2020, arXiv 2008.09161: loss = cross-entropy + weight * distance correlation(image, features).
[ours] the tail stays frozen, normalisation statistics too; the weight follows the user's accuracy, see `Balance`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from . import _training
from ._dependence import distance_correlation
from .base import Protection, Sent, Training


class NoPeek(Protection):
    """Passes the fine-tuned head's features through."""

    trains = "the head; the tail stays frozen"
    trains_head = True
    shares = ("max_drop",)
    options: ClassVar[dict[str, float]] = {"weight": 0.3, "max_drop": 0.003, "learning_rate": 3e-4}

    def eps_shape(self) -> None:
        """Take no noise."""
        return

    def forward(self, smashed: Tensor, eps: Tensor | None = None) -> Tensor:
        """Return smashed [B,C,h,w] itself."""
        return smashed

    def hidden(self, sent: Sent) -> Tensor:
        """A hundred times the distance correlation of photo and codes."""
        return 100.0 * distance_correlation(sent.images, sent.codes)

    def fit(self, training: Training) -> None:
        """Fine-tune the head in place."""
        options = self.settings(training.options)
        balance = _training.balance_for(training, options["weight"], options["max_drop"])
        optimizer = torch.optim.Adam(training.head.parameters(), lr=options["learning_rate"])

        def step(batch: _training.Step) -> float:
            features = training.head(batch.images)
            logits = training.tail(features)
            dependence = distance_correlation(batch.images, features)
            loss = batch.loss(logits) + balance.weight * dependence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            balance.update(batch.scores(logits))
            return loss.item()

        with _training.frozen(training.tail), _training.trainable(training.head):
            _training.run(training, {"head": training.head, "balance": balance}, {"adam": optimizer}, step, "nopeek")
