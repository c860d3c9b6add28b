"""The PriPro block: self-attention decides where, input statistics decide how strong.

Source: Gao et al., "PriPro", CCGrid 2021, doi 10.1109/CCGrid51090.2021.00043; its architecture figure is
marked [fig] below, this project's choices where the figure is silent are marked [ours].

Every operator is one that mobile delegates take whole (XNNPACK leaves nothing outside), which is why some
plain things are spelled unusually: a sum over rows is a 1x1 convolution with ones, a global maximum is a
max-pool, softplus is relu(x) + log(exp(-|x|) + 1).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _training
from .base import FeatureShape, Protection, Training

#: spread of the attention, relative to its mean, below which it counts as flat [ours]
FLAT = 5e-2


class AttentionMap(nn.Module):
    """smashed [B,C,h,w] -> W_A [B,1,h,w] in (0, 1]: the share of noise at each position."""

    ones: Tensor

    def __init__(self, features: FeatureShape, grid: int) -> None:
        super().__init__()
        channels, height, width = features
        inner = max(channels // 8, 1)  # [fig] floor(C/8); [ours] at least one
        self.pool = (math.ceil(height / grid), math.ceil(width / grid))  # [ours]
        self.pooled = (height // self.pool[0], width // self.pool[1])
        self.size = (height, width)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        positions = self.pooled[0] * self.pooled[1]
        self.register_buffer("ones", torch.ones(1, positions, 1, 1), persistent=False)

    def forward(self, smashed: Tensor) -> Tensor:
        """Map smashed [B,C,h,w] -> W_A [B,1,h,w]."""
        small = self._unit_power(functional.max_pool2d(smashed, self.pool) if self.pool != (1, 1) else smashed)
        query = self.query(small).flatten(2).transpose(1, 2)  # [B,N,C']
        key = self.key(small).flatten(2)  # [B,C',N]
        attention = torch.softmax(torch.bmm(query, key), dim=-1)  # [fig] no scaling, no value branch
        # min-max undoes the shift; summing what departs from 1/N keeps the digits that a sum near 1 would round off
        rows = (attention - 1.0 / attention.shape[1]).unflatten(2, self.pooled)  # [B,N,h',w']
        received = functional.conv2d(rows, self.ones)  # [ours] sum over the axis softmax leaves open
        return functional.interpolate(self._unit(received), size=self.size, mode="bilinear", align_corners=False)

    def _unit_power(self, small: Tensor) -> Tensor:
        """Divide by the root mean square per image [ours].

        Networks and cut points differ in the scale of their features by orders of magnitude. Products of
        unscaled ones saturate the softmax or leave it flat, and the min-max after it then magnifies a
        runtime's rounding; of unit power they do neither, whatever the network.
        """
        rows = small.shape[1] * self.pooled[0]
        power = (small * small).reshape(-1, 1, rows, self.pooled[1]).mean((2, 3), keepdim=True)  # [B,1,1,1]
        return small / torch.sqrt(power + 1e-6)

    def _unit(self, received: Tensor) -> Tensor:
        """Min-max per image to (0, 1] [ours].

        What a position receives is 1 on average, so a spread far below FLAT says nothing about positions: the map
        then tends to 1 everywhere, noise at every position, rather than to none at all.
        """
        if self.pooled == (1, 1):
            return received * 0 + 1
        top = functional.max_pool2d(received, self.pooled)
        bottom = -functional.max_pool2d(-received, self.pooled)
        return (received - bottom + FLAT) / (top - bottom + FLAT)


class NoiseMoments(nn.Module):
    """smashed [B,C,h,w] -> mu, sigma, each [B,C,1,1], from per-channel mean and deviation [ours]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, 2 * channels)  # [fig] 2C -> 2C
        self.channels = channels

    def forward(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """Map smashed [B,C,h,w] -> mu, sigma [B,C,1,1]."""
        mean = smashed.mean((2, 3), keepdim=True)
        centred = smashed - mean
        deviation = torch.sqrt((centred * centred).mean((2, 3), keepdim=True) + 1e-6)
        both = self.linear(torch.cat([mean, deviation], dim=1).flatten(1))
        moments = both.unflatten(1, (2 * self.channels, 1, 1))
        raw = moments[:, self.channels :]
        softplus = torch.relu(raw) + torch.log(torch.exp(-torch.abs(raw)) + 1.0)
        return moments[:, : self.channels], softplus


class PriPro(Protection):
    """(1 - W_A) * x + W_A * (mu + sigma * eps)  [ours: convex combination].

    `strength` s below 1 scales W_A (0: the features as they are), above 1 it scales sigma [ours].
    """

    blend: Tensor
    gain: Tensor

    trains = "the injector; head and tail stay frozen"
    options: ClassVar[dict[str, float]] = {"grid": 14, "noise_weight": 0.1, "learning_rate": 3e-3}

    def __init__(self, features: FeatureShape, *, grid: float = 14) -> None:
        super().__init__(features)
        self.attention = AttentionMap(features, int(grid))
        self.moments = NoiseMoments(features[0])
        self.register_buffer("blend", torch.tensor(1.0))
        self.register_buffer("gain", torch.tensor(1.0))

    def set_strength(self, strength: float) -> None:
        """Split the strength into two constants here, so that the exported graph holds plain products."""
        super().set_strength(strength)
        self.blend.fill_(min(strength, 1.0))
        self.gain.fill_(max(strength, 1.0))

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        weight = self.blend * self.attention(smashed)
        mu, sigma = self.moments(smashed)
        noise = mu + self.gain * sigma * eps
        protected: Tensor = smashed + weight * (noise - smashed)
        return protected

    def fit(self, training: Training) -> None:
        """Train the injector: cross-entropy of the frozen tail - noise_weight * mean(log sigma) [ours]."""
        options = self.settings(training.options)
        if training.resume_from is None:
            _training.reinitialise(self, training.seed)
        optimizer = torch.optim.Adam(self.parameters(), lr=options["learning_rate"])

        def step(batch: _training.Step) -> float:
            _, sigma = self.moments(batch.smashed)
            protected = self(batch.smashed, *batch.noise_for(self))
            hidden = -torch.log(sigma + 1e-6).mean()
            loss = functional.cross_entropy(training.tail(protected), batch.labels) + options["noise_weight"] * hidden
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        with _training.frozen(training.head, training.tail):
            _training.run(training, {"injector": self}, {"adam": optimizer}, step, "pripro")

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report how much of the features is replaced, and how strong the noise is beside them."""
        _, sigma = self.moments(smashed)
        weight = self.blend * self.attention(smashed)
        return {
            "mean_w_a": weight.mean().item(),
            "std_w_a": weight.std().item(),
            "mean_sigma": (self.gain * sigma).mean().item(),
            "smashed_std": smashed.std().item(),
        }
