"""Networks that keep the activations of a few photos at a time, so that a deep network's training fits in memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

#: bytes of activations that one batch may keep for its gradients before it is taken in parts, and that a part may
_WHOLE, _PART = 1 << 30, 128 << 20


class InParts(nn.Module):
    """A frozen network whose answers are those of the whole batch, and whose activations are computed twice.

    A batch whose activations fit is passed on as it is. A larger one goes through in parts, and each part is computed
    again when its gradients are wanted: a third more arithmetic for a fraction of the memory. On a GPU nothing changes.

    Args:
        network: [B,...] -> [B,K], each row by itself.
        whole, part: bytes that a batch, and each part of a larger one, may keep.
    """

    def __init__(self, network: nn.Module, whole: int = _WHOLE, part: int = _PART) -> None:
        super().__init__()
        self.network = network
        self._whole, self._part = whole, part
        self._each: int | None = None

    def at_once(self, smashed: Tensor) -> int:
        """How many of these photos [B,...] keep activations that fit: all, or a part's."""
        if smashed.device.type != "cpu":
            return len(smashed)
        if self._each is None:
            self._each = kept_bytes(self.network, smashed[:1])
        return len(smashed) if self._each * len(smashed) <= self._whole else max(self._part // self._each, 1)

    def forward(self, smashed: Tensor) -> Tensor:
        number = self.at_once(smashed)
        if number >= len(smashed):
            answers: Tensor = self.network(smashed)
            return answers
        if torch.is_grad_enabled() and smashed.requires_grad:
            return in_parts(self.network, number, smashed)
        # even what is not kept for gradients is large while it is computed
        return torch.cat([self.network(part) for part in smashed.split(number)])


def behind(tail: nn.Module, protection: Callable[..., Tensor], smashed: Tensor, *noise: Tensor) -> Tensor:
    """Answers [B,K] of a tail to protected features; the protection of a part is computed again with the tail.

    Args:
        tail: it may be `InParts` or not.
        protection: of features and noise, each row by itself.
        smashed: [B,C,h,w].
        noise: the protection's further arguments [B,...].
    """
    number = at_once(tail, smashed)
    if number >= len(smashed):
        answers: Tensor = tail(protection(smashed, *noise))
        return answers
    return in_parts(lambda *part: tail(protection(*part)), number, smashed, *noise)


def in_parts(function: Callable[..., Tensor], number: int, *inputs: Tensor) -> Tensor:
    """Join what a function makes of `number` rows of inputs [B,...] at a time, each computed again for gradients."""
    parts = zip(*(each.split(number) for each in inputs), strict=True)
    return torch.cat([checkpoint(function, *part, use_reentrant=False) for part in parts])


def at_once(tail: nn.Module, smashed: Tensor) -> int:
    """How many of these photos [B,...] a tail can take at once, with gradients; it may be `InParts` or not."""
    return tail.at_once(smashed) if isinstance(tail, InParts) else len(smashed)


def kept_bytes(network: nn.Module, inputs: Tensor) -> int:
    """Bytes of the activations that a network keeps of these inputs for their gradients; weights are not counted."""
    known = {value.untyped_storage().data_ptr() for value in (*network.parameters(), *network.buffers())}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        answer = network(inputs.detach().clone().requires_grad_())
    del answer  # until here, no storage was used twice
    return sum(kept.values())
