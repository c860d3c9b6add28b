"""What the averaging attacker makes of n observations, and a training loop for attackers that learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .base import Knowledge

#: with this many observations, another draw of the noise teaches nothing that the mean does not hold
_SETTLED = 8


def mean_of(smashed: Tensor) -> Tensor:
    """Average n observations [B,n,C,h,w] -> [B,C,h,w]: independent noise shrinks by the root of n."""
    return smashed.mean(1)


def averaged(knowledge: Knowledge) -> Tensor:
    """Observe the attacker's own images as often as the victim's will be seen, and average: [N,C,h,w]."""
    total = knowledge.observe(knowledge.images)
    for _ in range(knowledge.observations - 1):
        total = total + knowledge.observe(knowledge.images)
    return total / knowledge.observations


def train_on(
    knowledge: Knowledge,
    model: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    text: str,
) -> None:
    """Train on averaged observations, fresh ones in every epoch (for many observations: one set).

    Args:
        knowledge: of the attacker.
        model: features [B,C,h,w] -> anything.
        loss_of: (model output, index [B] into the attacker's images) -> scalar.
        epochs: passes over the attacker's images.
        batch_size: images per step.
        learning_rate: of Adam, falling to 0 along a cosine.
        text: for the progress line.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(knowledge.seed)  # dropout layers draw from the global generator
        _train(knowledge, model, loss_of, epochs, batch_size, learning_rate, text)


def _train(
    knowledge: Knowledge,
    model: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
    batch_size: int,
    learning_rate: float,
    text: str,
) -> None:
    generator = torch.Generator().manual_seed(knowledge.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    count = len(knowledge.images)
    steps = epochs * -(-count // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    features = averaged(knowledge)
    done = 0
    for epoch in range(epochs):
        if epoch > 0 and knowledge.observations < _SETTLED:
            features = averaged(knowledge)
        for index in torch.randperm(count, generator=generator).split(batch_size):
            loss = loss_of(model(features[index]), index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            done += 1
            knowledge.progress(done, steps, f"{text}, loss {loss.item():.4f}")


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a module whose initial weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


class Standardise(nn.Module):
    """(x - mean) / deviation per feature channel, measured once: noise may make features of any size."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean((0, 2, 3), keepdim=True))
        self.register_buffer("deviation", features.std((0, 2, 3), keepdim=True) + 1e-5)

    def forward(self, smashed: Tensor) -> Tensor:
        """Map [B,C,h,w] -> [B,C,h,w]."""
        scaled: Tensor = (smashed - self.mean) / self.deviation
        return scaled
