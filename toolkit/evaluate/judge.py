"""The judge: does a reconstruction still show, to the user's own unprotected network, what the photo showed?

No attack and no protection sees the judge's answers. It has two measures: what it still recognises, and where the
reconstruction lies in its feature space, for re-identification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..records.bundle import Preprocess
from .units import from_unit

_BATCH = 128
#: operators whose input may be the feature space: (operator, which argument)
_LAST_LAYERS: dict[object, int] = {
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.linear.default: 0,
    torch.ops.aten.convolution.default: 0,
}


class Judge:
    """A trained classifier of preprocessed images, asked about images in [0, 1]."""

    def __init__(self, network: Callable[[Tensor], Tensor], preprocess: Preprocess) -> None:
        self._network = network
        self._preprocess = preprocess

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images [N,channels,H,W] in [0, 1].

        Returns:
            Class probabilities [N,K], and features [N,F]: what the network's last layer with weights is given.
        """
        scores, features = [], []
        for part in images.split(_BATCH):
            with _LastInput(len(part)) as last:
                scores.append(torch.softmax(self._network(from_unit(part, self._preprocess)), 1))
            features.append(scores[-1] if last.seen is None else last.seen)
        return torch.cat(scores), torch.cat(features)

    def probabilities(self, images: Tensor) -> Tensor:
        """Class probabilities [N,K] of images [N,channels,H,W] in [0, 1]."""
        return self.look(images)[0]


def judge_of(head: nn.Module, tail: nn.Module, preprocess: Preprocess) -> Judge:
    """The user's own network as it was before protection."""

    def network(images: Tensor) -> Tensor:
        smashed = head(images)
        logits: Tensor = tail(*smashed) if isinstance(smashed, tuple | list) else tail(smashed)
        return logits

    return Judge(network, preprocess)


class _LastInput(TorchDispatchMode):
    """Remembers what the last layer with weights was given, whatever kind of module it is in."""

    def __init__(self, batch: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._batch = batch
        self.seen: Tensor | None = None

    def __torch_dispatch__(
        self,
        func: object,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (torch's own signature)
        place = _LAST_LAYERS.get(func)
        if place is not None and len(args[place]) == self._batch:
            given = args[place]
            self.seen = given.flatten(2).mean(2) if given.ndim > 2 else given
        return func(*args, **(kwargs or {}))  # type: ignore[operator]
