"""rMLE: white-box optimisation of an image until the head turns it into the message.

Source: He et al., "Model inversion attacks against collaborative inference", ACSAC 2019 (regularised maximum
likelihood estimation, total-variation prior). The last iterate is what counts: choosing an iterate by likeness to the
true photo, as public code does, uses knowledge that no attacker has. [ours] The head that it inverts contains the
protection, at the right eps where the attacker can predict it, else at the mean noise (eps = 0). It starts from the
mean photo, or from what the residual decoder made and stays near that: whichever does better on photos of its own.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ._fitting import split_of
from ._observing import predicts_noise, reader
from ._pictures import PictureLoss, decode, mean_photo, shared_decoder
from .base import Attack, Knowledge, Messages, Training

_VALIDATED = 24


class _Way(NamedTuple):
    """Where to start, and how strongly to stay near it."""

    decoder: bool
    near: float
    smooth: float


_WAYS = (_Way(False, 0.0, 0.02), _Way(True, 0.05, 0.01), _Way(True, 1.0, 0.0))


class RegularisedMle(Attack):
    """Find the image whose message is nearest to the averaged ones."""

    yields: ClassVar = frozenset({"images"})
    optimises: ClassVar = True
    builds_on: ClassVar = "residual_decoder"

    def __init__(self, *, steps: int = 100, learning_rate: float = 0.05) -> None:
        self.steps = steps
        self.learning_rate = learning_rate
        self._knowledge: Knowledge | None = None
        self._way = _WAYS[0]

    def train(self, knowledge: Knowledge) -> None:
        """Find the better way on the attacker's own photos; no network is trained but the shared decoder.

        Raises:
            ValueError: no head, which a white-box attack needs.
        """
        if knowledge.head is None:
            raise ValueError("rMLE is a white-box attack and needs the head")
        self._knowledge = knowledge
        self._predicts = predicts_noise(knowledge)
        self._read = reader(knowledge)
        self._decoder = shared_decoder(knowledge)
        index = split_of(knowledge)[1][:_VALIDATED]
        messages, loss = knowledge.observe(index), PictureLoss(knowledge)
        losses = []
        for way in _WAYS:
            self._way = way
            with torch.no_grad():
                losses.append(loss(self.run(messages), index).item())
        best = min(range(len(_WAYS)), key=lambda number: losses[number])
        self._way = _WAYS[best]
        knowledge.log.append(
            Training("white-box inversion", len(index), self.learning_rate, self.steps, True, tuple(losses))
        )

    @torch.enable_grad()
    def run(self, messages: Messages) -> Tensor:
        """Optimise for the messages of B photos -> [B,channels,H,W]."""
        knowledge = self._knowledge
        if knowledge is None or knowledge.head is None:
            raise RuntimeError("train() comes before run()")
        target = [one.mean(1).detach() for one in messages.tensors]
        eps = messages.guess if self._predicts else ()
        # with the right eps what is left to match is the photo's part, however loud the noise
        with torch.no_grad():
            photos = knowledge.images[: len(messages)]
            known = list(knowledge.head(photos, ())) if self._predicts else target
        scales = [one.flatten(1).var(1).mean().clamp(min=1e-8) for one in known]
        low, high = knowledge.images.min(), knowledge.images.max()
        if self._way.decoder:
            start = decode(self._decoder, self._read(messages), knowledge.device).clamp(low, high)
        else:
            start = mean_photo(knowledge).repeat(len(messages), 1, 1, 1)
        image = start.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([image], lr=self.learning_rate * (high - low).item())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for done in range(self.steps):
            made = knowledge.head(image, eps)
            parts = [
                (one - other).square().flatten(1).mean(1) / scale
                for one, other, scale in zip(made, target, scales, strict=True)
            ]
            distance = torch.stack(parts).mean(0)
            near = (image - start).square().flatten(1).mean(1) / (high - low).square() * 100
            # a sum over photos, so that each is optimised on its own
            loss = distance + self._way.near * near + self._way.smooth * _total_variation(image) / (high - low)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                image.clamp_(low, high)
            knowledge.progress(done + 1, self.steps, f"white-box inversion, distance {distance.mean().item():.4f}")
        return image.detach()


def _total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference between neighbours, [B]."""
    down = (image[:, :, 1:] - image[:, :, :-1]).abs().mean((1, 2, 3))
    across = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean((1, 2, 3))
    return down + across
