"""Seconds of what attacks consist of, measured on a few steps of the very networks that will be trained."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from ..attacks._fitting import has_bfloat16
from ..attacks._networks import Decoder, LargeClassifier, SmallClassifier
from ..attacks._observing import averaged, examples
from ..attacks._pictures import PictureLoss, mean_photo
from ..attacks.base import Knowledge
from .attacking import Setting
from .metrics.likeness import ssim
from .variants import near_duplicates
from .victim import Victim

_STEPS = 3
_MORE = 3


def time_steps(setting: Setting, victim: Victim) -> dict[str, float]:
    """Seconds of what attacks consist of, on so many threads as torch has now.

    Returns:
        decoder, small, large: a training step. head: a pass through the head and back. again, variant: a batch's next
        message, of the same photos and of versions of them. features, look, judge: a photo's features, a look of the
        judge at a picture, and that with its SSIM.
    """
    knowledge = _knowledge(setting, victim)

    def arguments(index: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return averaged(knowledge.observe(index))

    shapes, width = examples(knowledge, arguments), knowledge.budget.width
    batch = torch.arange(min(knowledge.budget.batch, len(knowledge.images)))
    loss = PictureLoss(knowledge)
    found = {
        "decoder": _timed(knowledge, Decoder(shapes, mean_photo(knowledge), width), arguments, batch, loss),
        "small": _timed(knowledge, SmallClassifier(shapes, 2, width // 2), arguments, batch, None),
        "large": _timed(knowledge, LargeClassifier(shapes, 2, width), arguments, batch, None),
    }
    started = time.monotonic()
    images = knowledge.images[batch].clone().requires_grad_(True)
    if knowledge.head is not None:
        torch.stack([one.square().mean() for one in knowledge.head(images, ())]).sum().backward()
    found["head"] = time.monotonic() - started
    found["again"] = _one_more_look(victim, knowledge.images, batch)
    started = time.monotonic()
    with torch.no_grad():
        victim.head(knowledge.images[batch])
    heads = time.monotonic() - started
    found["features"] = heads / len(batch)
    started = time.monotonic()
    near_duplicates(setting.photos[: len(batch)], 1 + _MORE, torch.Generator().manual_seed(0))
    found["variant"] = found["again"] + heads + (time.monotonic() - started) / _MORE
    started = time.monotonic()
    few = setting.photos[:32]
    setting.judge.look(few)
    found["look"] = (time.monotonic() - started) / len(few)
    ssim(few, few)
    found["judge"] = (time.monotonic() - started) / len(few)
    return found


def _one_more_look(victim: Victim, images: torch.Tensor, batch: torch.Tensor) -> float:
    """Seconds of one more message of each photo of a batch."""
    if not victim.is_random:
        return 0.0
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(_STEPS):
        times = []
        for looks in (1, 1 + _MORE):
            started = time.monotonic()
            victim.messages(images, batch, looks, generator)
            times.append(time.monotonic() - started)
        found.append(max(times[1] - times[0], 0.0) / _MORE)
    return sorted(found)[len(found) // 2]


def _timed(
    knowledge: Knowledge,
    model: nn.Module,
    arguments: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
    batch: torch.Tensor,
    loss: PictureLoss | None,
) -> float:
    """Seconds of one training step, the median of a few."""
    optimizer = torch.optim.AdamW(model.to(knowledge.device).train().parameters(), lr=0.0)
    times = []
    for _ in range(_STEPS):
        started = time.monotonic()
        with torch.autocast(knowledge.device.type, torch.bfloat16, enabled=has_bfloat16(knowledge)):
            made = model(*(one.to(knowledge.device) for one in arguments(batch)))
        value = made.float().square().mean() if loss is None else loss(made.float(), batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        times.append(time.monotonic() - started)
    return sorted(times)[len(times) // 2]


def _knowledge(setting: Setting, victim: Victim) -> Knowledge:
    generator = torch.Generator().manual_seed(0)
    images = setting.attacker[:256].clone()
    return Knowledge(
        images=images,
        attribute=None,
        classes=0,
        observe=lambda index: victim.messages(images, index, 1, generator),
        single=lambda index: victim.messages(images, index, 1, generator),
        head=victim.white_box,
        seed=0,
        budget=setting.budget,
        device=setting.device,
    )
