"""From messages to a network's arguments: several looks at one photo, and noise that the attacker can predict."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Knowledge, Messages

#: photos on which the attacker tries whether its own phone's noise is the victim's
_TRIED = 32
#: relative error of a message computed from a right guess, at most: codes on the wire round
_RIGHT = 0.1


def averaged(messages: Messages) -> tuple[Tensor, ...]:
    """Mean over the looks, [B,n,C,h,w] -> [B,C,h,w] each: independent noise shrinks by the root of n."""
    return tuple(tensor.mean(1) for tensor in messages.tensors)


def each_look(messages: Messages) -> tuple[Tensor, ...]:
    """Every look on its own, [B,n,C,h,w] each: variants of a photo must not be averaged as they are."""
    return messages.tensors


def reader(knowledge: Knowledge) -> Callable[[Messages], tuple[Tensor, ...]]:
    """How this attacker reads messages of the same photo: without the noise, as far as it can predict it."""
    if not predicts_noise(knowledge):
        return averaged
    head, mean = knowledge.head, knowledge.images.mean(0, keepdim=True)

    @torch.no_grad()
    def without_noise(messages: Messages) -> tuple[Tensor, ...]:
        """Subtract what the predicted noise of the first look does to the mean photo; the noise is passed beside it."""
        if head is None:
            raise ValueError("no head, no prediction")
        photos = mean.expand(len(messages), -1, -1, -1)
        noise = [with_it - bare for with_it, bare in zip(head(photos, messages.guess), head(photos, ()), strict=True)]
        beside = (one if one.ndim == 4 else one.reshape(len(one), -1, 1, 1) for one in messages.guess)
        first = (tensor[:, 0] for tensor in messages.tensors)
        return (*(one - other for one, other in zip(first, noise, strict=True)), *beside)

    return without_noise


@torch.no_grad()
def predicts_noise(knowledge: Knowledge) -> bool:
    """Whether the noise that the attacker's own phone draws is the noise in another phone's message.

    The attacker sends its own photos from one of its phones and computes, on another one, what the message would be
    with the noise that this one has just drawn. Noise drawn from a secret, or from a secure generator, defeats this.
    """
    if knowledge.head is None:
        return False
    index = torch.arange(min(_TRIED, len(knowledge.images)))
    messages = knowledge.observe(index)
    if not messages.guess:
        return False
    images = knowledge.images[index]
    right = knowledge.head(images, messages.guess)
    wrong = knowledge.head(images, tuple(-one.roll(1, 0) for one in messages.guess))
    seen = [tensor[:, 0] for tensor in messages.tensors]
    error = sum(_error(one, other) for one, other in zip(seen, right, strict=True))
    blind = sum(_error(one, other) for one, other in zip(seen, wrong, strict=True))
    return error < _RIGHT * blind


def _error(seen: Tensor, computed: Tensor) -> float:
    return (seen - computed).square().mean().item()


def examples(
    knowledge: Knowledge, arguments: Callable[[Tensor], tuple[Tensor, ...]], count: int = 256
) -> tuple[Tensor, ...]:
    """A batch of a network's arguments, to shape it and to standardise by; looks of one photo stand one by one."""
    seen = arguments(torch.arange(min(count, len(knowledge.images))))
    return tuple(one.flatten(0, 1) if one.ndim == 5 else one for one in seen)
