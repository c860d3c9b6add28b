"""Adversarial training of the head against a decoder that rebuilds the image.

Source: Li et al., "DeepObfuscator", IoTDI 2021, arXiv 1909.04126: head and decoder take turns; the head
minimises cross-entropy - weight * reconstruction error. [ours] the tail stays frozen; the decoder is a small one,
and no evaluation ever uses it: attackers are trained anew. The weight follows the user's accuracy, see `Balance`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _training
from ._decoder import decoder
from .base import Protection, Training

#: images whose spread counts as all there is to hide
_MEASURED = 8192


class Adversarial(Protection):
    """Passes the adversarially trained head's features through."""

    trains = "the head, against a decoder; the tail stays frozen"
    trains_head = True
    shares = ("max_drop",)
    options: ClassVar[dict[str, float]] = {
        "weight": 0.3,
        "max_drop": 0.003,
        "learning_rate": 3e-4,
        "decoder_learning_rate": 2e-3,
    }

    def eps_shape(self) -> None:
        """Take no noise."""
        return

    def forward(self, smashed: Tensor, eps: Tensor | None = None) -> Tensor:
        """Return smashed [B,C,h,w] itself."""
        return smashed

    def opponent(self, image: tuple[int, int, int]) -> nn.Module:
        """The same small decoder, for the waist's codes."""
        return decoder(self.features, image)

    def fit(self, training: Training) -> None:
        """Fine-tune the head in place."""
        options = self.settings(training.options)
        balance = _training.balance_for(training, options["weight"], options["max_drop"])
        channels, height, width = training.images.shape[1:]
        rebuild = decoder(self.features, (channels, height, width))
        _training.reinitialise(rebuild, training.seed)
        optimizer = torch.optim.Adam(training.head.parameters(), lr=options["learning_rate"])
        opponent = torch.optim.Adam(rebuild.parameters(), lr=options["decoder_learning_rate"])
        spread = training.images[:_MEASURED].var()

        def step(batch: _training.Step) -> float:
            features = training.head(batch.images)
            error = functional.mse_loss(rebuild(features.detach()), batch.images)
            opponent.zero_grad()
            error.backward()
            opponent.step()
            logits = training.tail(features)
            with _training.frozen(rebuild):
                # beyond the error of a constant image there is nothing more to hide
                hidden = (functional.mse_loss(rebuild(features), batch.images) / spread).clamp(max=1.0)
            loss = batch.loss(logits) - balance.weight * hidden
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            balance.update(batch.scores(logits))
            return loss.item()

        modules = {"head": training.head, "decoder": rebuild, "balance": balance}
        with _training.frozen(training.tail), _training.trainable(training.head):
            _training.run(training, modules, {"adam": optimizer, "opponent": opponent}, step, "adversarial")
