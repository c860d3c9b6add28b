"""Decoder with an adversarial loss: reconstructions that a discriminator takes for photos.

A mean over all photos that fit a message is blurred; this one settles on one of them. Source: the GAN decoder
of CEM (CVPR 2025, 2503.00383) and its forerunners; hinge loss as in Lim and Ye, "Geometric GAN", 2017; judged by
patches as in Isola et al., CVPR 2017. [ours] it goes on from the residual decoder, whose loss stays in.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ._fitting import split_of
from ._observing import reader
from ._pictures import PictureLoss, decode, shared_decoder
from .base import Attack, Knowledge, Messages, Training

#: weight of the adversarial term beside the picture loss
_ADVERSARIAL = 0.02
_SHARE = 0.75
_RATE = 2e-4
_LOOKS = 4


class AdversarialDecoder(Attack):
    """Rebuild a picture that could pass for a photo."""

    yields: ClassVar = frozenset({"images"})
    builds_on: ClassVar = "residual_decoder"
    work: ClassVar = {"decoder": 1.1}

    def __init__(self) -> None:
        self._decoder: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train decoder and discriminator in turn."""
        self._knowledge, self._read = knowledge, reader(knowledge)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(knowledge.seed)
            self._decoder = self._trained(knowledge)

    def run(self, messages: Messages) -> Tensor:
        """Decode B photos' messages -> [B,channels,H,W]."""
        if self._decoder is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        return decode(self._decoder, self._read(messages), self._knowledge.device)

    def _trained(self, knowledge: Knowledge) -> nn.Module:
        decoder, picture = shared_decoder(knowledge).train(), PictureLoss(knowledge)
        judge = _discriminator(knowledge.images.shape[1], knowledge.budget.width // 2).to(knowledge.device).train()
        learn, held = split_of(knowledge)
        held = held[:256]
        held_seen = self._read(knowledge.observe(held))
        generator = torch.Generator().manual_seed(knowledge.seed)
        both = (
            torch.optim.Adam(decoder.parameters(), _RATE, betas=(0.5, 0.9)),
            torch.optim.Adam(judge.parameters(), 2 * _RATE, betas=(0.5, 0.9)),
        )
        steps = max(round(knowledge.budget.steps * _SHARE), 2 * _LOOKS)
        losses = []
        for step in range(steps):
            index = learn[torch.randint(len(learn), (min(knowledge.budget.batch, len(learn)),), generator=generator)]
            seen = tuple(one.to(knowledge.device) for one in self._read(knowledge.observe(index)))
            photos = picture.unit(knowledge.images[index].to(knowledge.device))
            rebuilt = decoder(*seen)
            fake = picture.unit(rebuilt)
            real_loss = functional.relu(1.0 - judge(photos)).mean() + functional.relu(1.0 + judge(fake.detach())).mean()
            _step(both[1], real_loss)
            _step(both[0], picture(rebuilt, index) - _ADVERSARIAL * judge(fake).mean())
            if (step + 1) % (steps // _LOOKS) == 0:
                made = decode(decoder.eval(), held_seen, knowledge.device)
                losses.append(round(picture(made, held).item(), 5))
                decoder.train()
            if step % 10 == 0:
                knowledge.progress(step, steps, f"adversarial decoder, picture loss {losses[-1] if losses else 0:.4f}")
        settled = len(losses) > 1 and abs(losses[-1] - losses[-2]) < 0.02 * losses[-2]
        knowledge.log.append(Training("adversarial decoder", len(learn), _RATE, steps, settled, tuple(losses)))
        return decoder.eval()


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _discriminator(channels: int, width: int) -> nn.Sequential:
    """Pictures in [0, 1] -> a score per patch; spectral norms (Miyato et al., ICLR 2018) keep it smooth."""
    layers: list[nn.Module] = []
    for number, wide in enumerate((width, 2 * width, 2 * width)):
        layers += [spectral_norm(nn.Conv2d(channels, wide, 4, 2, 1)), nn.LeakyReLU(0.2)]
        channels = wide
        if number == 1:
            layers += [spectral_norm(nn.Conv2d(wide, wide, 3, 1, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))
