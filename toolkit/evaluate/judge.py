"""The judge: does a reconstruction still show, to the user's own unprotected network, what the photo showed?

No attack and no protection sees the judge's answers. It has two measures: what it still recognises, and where the
reconstruction lies in its feature space, for re-identification. A network that names classes recognises a photo by its
class; of any other the answer to the reconstruction is compared with the answer to the photo, as its task compares two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..records.bundle import Preprocess
from ..tasks.base import Answers, Task, collect
from ..tasks.classify import Classify
from .units import from_unit

_BATCH = 128
#: chance is what so many other photos' answers have in common with a photo's own
_OTHERS = 5
#: operators whose input may be the feature space: (operator, which argument)
_LAST_LAYERS: dict[object, int] = {
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.linear.default: 0,
    torch.ops.aten.convolution.default: 0,
}


@dataclass(frozen=True)
class Sight:
    """What the judge makes of N images.

    Attributes:
        answers: what the network's task keeps of the answers.
        features: [N,F] what the network's last layer with weights is given.
        probabilities: [N,K] of the classes; None where the network names none.
    """

    answers: Answers
    features: Tensor
    probabilities: Tensor | None


class Judge:
    """A trained network of preprocessed images, asked about images in [0, 1]; `task` says what its answers are."""

    def __init__(self, network: Callable[[Tensor], Tensor], preprocess: Preprocess, task: Task | None = None) -> None:
        self._network = network
        self._preprocess = preprocess
        self._task = Classify() if task is None else task

    @torch.no_grad()
    def look(self, images: Tensor) -> Sight:
        """Judge images [N,channels,H,W] in [0, 1]."""
        kept, features, probabilities = [], [], []
        for part in images.split(_BATCH):
            with _LastInput(len(part)) as last:
                told = self._network(from_unit(part, self._preprocess))
            answers = self._task.answers(told)
            kept.append(self._task.keep(answers))
            features.append(told.flatten(1) if last.seen is None else last.seen)
            if isinstance(self._task, Classify):
                probabilities.append(torch.softmax(answers[0], 1))
        return Sight(collect(kept), torch.cat(features), torch.cat(probabilities) if probabilities else None)

    def recognised(self, seen: Sight, real: Sight, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Say how far the judge still sees in n images what it saw in the real ones.

        Args:
            seen: of the n images.
            real: of the N real ones; the first n belong to those seen.
            labels: [n] classes; they count only where the network names classes.

        Returns:
            Probability of the truth [n] and how right the answer is [n]; the same where there are no classes.
        """
        if seen.probabilities is not None:
            index = torch.arange(len(labels))
            return seen.probabilities[index, labels], (seen.probabilities.argmax(1) == labels).float()
        count = len(seen.features)
        alike = self._task.compare(seen.answers, tuple(value[:count] for value in real.answers))
        return alike, alike

    def chance(self, real: Sight, labels: Tensor) -> float:
        """How often an answer given without looking is right: the commonest class, or another photo's answer."""
        if real.probabilities is not None:
            return torch.bincount(labels).max().item() / len(labels)
        count = len(real.features)
        others = [
            self._task.compare(tuple(value.roll(by, 0) for value in real.answers), real.answers).mean()
            for by in range(1, min(_OTHERS, count - 1) + 1)
        ]
        return torch.stack(others).mean().item() if others else 0.0


def judge_of(head: nn.Module, tail: nn.Module, preprocess: Preprocess, task: Task | None = None) -> Judge:
    """The user's own network as it was before protection."""

    def network(images: Tensor) -> Tensor:
        smashed = head(images)
        logits: Tensor = tail(*smashed) if isinstance(smashed, tuple | list) else tail(smashed)
        return logits

    return Judge(network, preprocess, task)


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
