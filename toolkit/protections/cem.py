"""Conditional-entropy maximisation: the head is fine-tuned to bury the image in noise, given its class.

Source: Xia et al., "Theoretical Insights in Model Inversion Robustness and Conditional Entropy Maximization
for Collaborative Inference Systems", arXiv 2503.00383: a Gaussian mixture over noised features bounds the entropy of
the image given the features; the loss adds weight * log(variance inside the components / noise variance).
[ours] one component per class of the user's task; the tail stays frozen; the weight follows the user's
accuracy, see `Balance`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from . import _training
from ._dependence import own_centres
from ._features import sample_of
from ._leak import inside_bits
from .base import FeatureShape, Protection, Sent, Training


class ConditionalEntropy(Protection):
    """x + strength * scale * eps behind a head whose features vary little inside a class."""

    trains = "the head, and measures the noise's scale; the tail stays frozen"
    trains_head = True
    shares = ("max_drop",)
    options: ClassVar[dict[str, float]] = {"scale": 0.3, "weight": 0.1, "max_drop": 0.003, "learning_rate": 3e-4}
    deviation: Tensor

    def __init__(self, features: FeatureShape) -> None:
        super().__init__(features)
        self.register_buffer("deviation", torch.tensor(1.0))

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        return smashed + self.strength * self.deviation * eps

    def fit(self, training: Training) -> None:
        """Fine-tune the head in place under noise of `scale` standard deviations of its original features."""
        options = self.settings(training.options)
        smashed = sample_of(training)
        if training.resume_from is None:
            self.deviation.fill_(options["scale"] * smashed.std())
        balance = _training.balance_for(training, options["weight"], options["max_drop"])
        classes = int(training.labels.max()) + 1
        optimizer = torch.optim.Adam(training.head.parameters(), lr=options["learning_rate"])

        def step(batch: _training.Step) -> float:
            features = training.head(batch.images)
            logits = training.tail(self(features, *batch.noise_for(self)))
            flat = features.flatten(1)
            inside = (flat - own_centres(flat, batch.labels, classes)).square().mean(0)
            leak = torch.log1p(inside / self.deviation.square()).mean()
            loss = batch.loss(logits) + balance.weight * leak
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            balance.update(batch.scores(logits))
            return loss.item()

        modules = {"head": training.head, "noise": self, "balance": balance}
        with _training.frozen(training.tail), _training.trainable(training.head):
            _training.run(training, modules, {"adam": optimizer}, step, "cem")

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Start at half a code's noise."""
        self.deviation.fill_(options.get("scale", 0.5))

    def hidden(self, sent: Sent) -> Tensor:
        """The same bound on what is sent: variance inside the network's answers beside noise and rounding, in bits."""
        return inside_bits(*self.channel(sent.smashed), sent.answers, sent.classes)

    def channel(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """The features themselves, and one variance everywhere."""
        return smashed, (self.strength * self.deviation).square().expand_as(smashed)

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the noise's scale beside the features'."""
        return {"noise_std": (self.strength * self.deviation).item(), "smashed_std": smashed.std().item()}
