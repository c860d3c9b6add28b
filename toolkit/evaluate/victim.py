"""The victim: a protected split network as an attacker meets it.

Notation: N images, channels x H x W; smashed features C x h x w; n observations of one photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cloud_tail.signature import TensorSpec
from cloud_tail.wire import dequantise, quantise

from ..inference import in_batches, right, seeded, smash
from ..protections.base import Protection
from .metrics.pa import pa, pa_per_input

#: about so many feature values are noised at a time
_CHUNK = 8_000_000


@dataclass(frozen=True)
class UserSide:
    """What the protection costs the user, on the test images.

    Attributes:
        unprotected: accuracy of the network before protection.
        protected: accuracy after, mean over draws.
        pa: their ratio.
        per_input: [N] share of draws that the tail gets right.
    """

    unprotected: float
    protected: float
    pa: float
    per_input: Tensor


class Victim:
    """Head, protection and tail, with the head's output for each set of images kept.

    The head is deterministic, so what differs between two observations of a photo is eps alone. With `codes`, tail
    and attackers see what those affine codes leave of the features.
    """

    def __init__(
        self, head: nn.Module, tail: nn.Module, protection: Protection, codes: TensorSpec | None = None
    ) -> None:
        self.head = head
        self.tail = tail
        self.protection = protection
        self._codes = codes
        self._kept: list[tuple[Tensor, Tensor]] = []

    def smashed(self, images: Tensor) -> Tensor:
        """Unprotected features [N,C,h,w] of images [N,channels,H,W]."""
        for known, features in self._kept:
            if known is images:
                return features
        features = in_batches(self.head, images)
        self._kept.append((images, features))
        return features

    @property
    def is_random(self) -> bool:
        """Whether two observations of one photo differ."""
        return self.protection.eps_shape() is not None

    @torch.no_grad()
    def observe(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Protected features [N,C,h,w] with fresh eps."""
        smashed = self.smashed(images)
        return torch.cat([self._protect(part, generator) for part in smashed.split(self._rows())])

    @torch.no_grad()
    def observe_many(self, smashed: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """`count` observations [B,n,C,h,w] of unprotected features [B,C,h,w]."""
        if not self.is_random:
            # equal observations: a view is enough
            seen: Tensor = self._protect(smashed, generator).unsqueeze(1)
            return seen.expand(-1, count, *smashed.shape[1:])
        repeated = smashed.repeat_interleave(count, 0)
        made: Tensor = torch.cat([self._protect(part, generator) for part in repeated.split(self._rows())])
        observed: Tensor = made.unflatten(0, (len(smashed), count))
        return observed

    def rows_for(self, count: int) -> int:
        """How many photos' `count` observations fit into memory at a time."""
        return max(self._rows() // count, 1)

    def mean_head(self) -> nn.Module:
        """Image -> protected features at eps = 0: what a white-box attacker inverts."""
        return _MeanHead(self.head, self.protection)

    def user_side(self, images: Tensor, labels: Tensor, unprotected: float, draws: int, seed: int) -> UserSide:
        """Measure the user's accuracy.

        Args:
            images: test images [N,channels,H,W].
            labels: [N].
            unprotected: accuracy of the network with its original head on them.
            draws: draws of eps per image.
            seed: seeds them.
        """
        generator = seeded(seed)
        answers = [
            right(in_batches(self.tail, self.observe(images, generator)), labels)
            for _ in range(draws if self.is_random else 1)
        ]
        per_input = pa_per_input(torch.stack(answers, 1))
        protected = per_input.mean().item()
        return UserSide(unprotected, protected, pa(unprotected, protected), per_input)

    def _rows(self) -> int:
        channels, height, width = self.protection.features
        return max(_CHUNK // (channels * height * width), 1)

    def _protect(self, smashed: Tensor, generator: torch.Generator) -> Tensor:
        protected = smash(self.protection, smashed, generator)
        if self._codes is None:
            return protected
        return torch.from_numpy(dequantise(quantise(protected.numpy(), self._codes), self._codes))


class _MeanHead(nn.Module):
    def __init__(self, head: nn.Module, protection: Protection) -> None:
        super().__init__()
        self.head = head
        self.protection = protection

    def forward(self, image: Tensor) -> Tensor:
        smashed = self.head(image)
        shape = self.protection.eps_shape()
        eps = () if shape is None else (torch.zeros(len(smashed), *shape),)
        protected: Tensor = self.protection(smashed, *eps)
        return protected
