"""What a task is: how a network's answers are compared, what is right, and what a protection is trained to keep.

Notation: B photos of a batch, N of a set; K classes. A network's answers are a tuple of tensors [B,...].

Without labels a protection is judged by its agreement with the unprotected network on the very same photos: that needs
nothing but photos. With labels it is judged by being right. Both are one number in [0, 1] per photo, so that the search
for a strength, PA and the worst inputs mean the same for every task.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import UnknownNameError

Answers = tuple[Tensor, ...]
#: groups that answers without classes of their own are sorted into
_GROUPS = 10


@dataclass(frozen=True)
class Fact:
    """One output of a network.

    Attributes:
        name: as the network calls it.
        shape: without the batch axis.
        whole: it is made of whole numbers, such as class indices.
        last: names of the last operators that make it, last first, such as ("softmax", "linear").
    """

    name: str
    shape: tuple[int, ...]
    whole: bool = False
    last: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of a network before anything runs.

    Attributes:
        outputs: all of them.
        image: (C, H, W).
        labelled: the user named the classes.
    """

    outputs: tuple[Fact, ...]
    image: tuple[int, int, int]
    labelled: bool = False


class Task(ABC):
    """One task. Its file name is its name on the command line and in the manifest."""

    #: what "accuracy" means with labels, and without
    metric: ClassVar[str]
    agreement: ClassVar[str]
    #: whether a photo's class label says what is right
    uses_labels: ClassVar[bool] = False
    #: whether the first output has one value per class of the user's labels
    has_classes: ClassVar[bool] = False
    #: setting name -> default, kept in the manifest
    settings: ClassVar[dict[str, float]] = {}

    def __init__(self, settings: Mapping[str, float] | None = None, shapes: Sequence[tuple[int, ...]] = ()) -> None:
        """Take settings; those not named have their defaults.

        Args:
            settings: by name.
            shapes: of the network's outputs without the batch axis; none: one output, as the tail gives it.

        Raises:
            UnknownNameError: a setting that this task does not have.
        """
        for name in settings or {}:
            if name not in self.settings:
                raise UnknownNameError(
                    f"setting of task {type(self).__module__.rpartition('.')[2]}", name, self.settings
                )
        self.chosen = {**self.settings, **(settings or {})}
        self.shapes = tuple(shapes)

    def answers(self, logits: Tensor) -> Answers:
        """Take a tail's outputs [B,K], one behind the other, apart."""
        if not self.shapes:
            return (logits,)
        parts = logits.split([math.prod(shape) for shape in self.shapes], 1)
        return tuple(part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True))

    @classmethod
    @abstractmethod
    def fits(cls, facts: Facts) -> float:
        """How likely this is the network's task: 0 (not at all) to 1. The likeliest is guessed."""

    @classmethod
    def settings_for(cls, facts: Facts) -> dict[str, float]:
        """Settings that follow from the network itself; the others keep their defaults."""
        return {}

    @abstractmethod
    def keep(self, answers: Answers) -> Answers:
        """What of a batch's answers has to be kept to compare them later: little, for whole sets are kept."""

    @abstractmethod
    def compare(self, kept: Answers, wanted: Answers) -> Tensor:
        """How far each of N photos' answers agree with those wanted [N], 0 to 1; both as `keep` left them."""

    def right(self, kept: Answers, labels: Tensor) -> Tensor:
        """How right each of N photos' answers is [N], 0 to 1, by class labels [N]; only where `uses_labels`."""
        raise NotImplementedError

    @abstractmethod
    def loss(self, answers: Answers, wanted: Answers) -> Tensor:
        """What training minimises so that answers become those wanted; both as the network gives them, a scalar."""

    def labelled_loss(self, answers: Answers, labels: Tensor) -> Tensor:
        """What training minimises where class labels [B] are known; only where `uses_labels`."""
        raise NotImplementedError

    def groups(self, kept: Answers) -> tuple[Tensor, int]:
        """Sort N photos by their answers: (group [N], how many): whoever knows the answer knows the group.

        Default: the nearest of a few answers that lie far apart.
        """
        flat = torch.cat([value.flatten(1).float() for value in kept], 1)
        flat = flat / (flat.std(0, keepdim=True) + 1e-6 * flat.abs().max().clamp(min=1e-12))
        chosen = [int((flat - flat.mean(0)).square().sum(1).argmax())]
        apart = (flat - flat[chosen[0]]).square().sum(1)
        while len(chosen) < min(_GROUPS, len(flat)):
            chosen.append(int(apart.argmax()))
            apart = torch.minimum(apart, (flat - flat[chosen[-1]]).square().sum(1))
        return torch.cdist(flat, flat[chosen]).argmin(1), len(chosen)


def collect(batches: Iterable[Answers]) -> Answers:
    """Join what `keep` left of several batches."""
    kept = list(batches)
    return tuple(torch.cat(column) for column in zip(*kept, strict=True))


def mean_loss(answers: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Squared error beside the wanted values' own variance, mean over outputs: 1 says nothing was learned."""
    parts = [
        functional.mse_loss(one, other) / other.var().clamp(min=1e-12)
        for one, other in zip(answers, wanted, strict=True)
    ]
    return torch.stack(parts).mean()


def soft_loss(logits: Tensor, wanted: Tensor, axis: int = 1) -> Tensor:
    """Kullback-Leibler divergence from the wanted distribution over `axis`, mean over everything else."""
    told = functional.log_softmax(logits, axis)
    truth = functional.log_softmax(wanted, axis)
    return (truth.exp() * (truth - told)).sum(axis).mean()
