"""What an attacker may want to know, computed from the photo itself.

An attribute is a tercile *within the photo's class*: which third of its class it belongs to by slant, stroke or
brightness. So it cannot be derived from the label, and whatever an attacker learns of it beyond a third of the
answers is leakage that the user's task did not need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UnknownNameError
from .outcome import Outcome


def slant(gray: Tensor) -> Tensor:
    """Shear of the ink [N] in pixels per row, from second central moments of gray [N,H,W] in [0, 1]; > 0 leans left."""
    height, width = gray.shape[1:]
    down = torch.arange(height, dtype=gray.dtype)[None, :, None]
    across = torch.arange(width, dtype=gray.dtype)[None, None, :]
    mass = gray.sum((1, 2)).clamp(min=1e-6)
    middle_down = (gray * down).sum((1, 2)) / mass
    middle_across = (gray * across).sum((1, 2)) / mass
    off_down, off_across = down - middle_down[:, None, None], across - middle_across[:, None, None]
    mixed = (gray * off_down * off_across).sum((1, 2)) / mass
    spread = (gray * off_down.square()).sum((1, 2)) / mass
    return mixed / spread.clamp(min=1e-6)


def stroke(gray: Tensor) -> Tensor:
    """Width of the stroke [N] in pixels: ink area over half the length of its edge, gray [N,H,W] in [0, 1]."""
    edge = (gray[:, 1:] - gray[:, :-1]).abs().sum((1, 2)) + (gray[:, :, 1:] - gray[:, :, :-1]).abs().sum((1, 2))
    return 2 * gray.sum((1, 2)) / edge.clamp(min=1e-6)


def brightness(gray: Tensor) -> Tensor:
    """Mean gray value [N] of gray [N,H,W] in [0, 1]."""
    return gray.mean((1, 2))


SCORES: dict[str, Callable[[Tensor], Tensor]] = {"slant": slant, "stroke": stroke, "brightness": brightness}
NAMES = (*SCORES, "label")


@dataclass(frozen=True)
class Task:
    """The attacker's task on two sets of images.

    Attributes:
        name: of the attribute, or "label" for the class itself.
        train: [N] class index for the attacker's images.
        test: [M] class index for the test images.
        classes: number of classes.
        chance: share of the test images that the attacker's most frequent class hits: success without looking.
    """

    name: str
    train: Tensor
    test: Tensor
    classes: int
    chance: float

    @property
    def digest(self) -> str:
        """Of the answers: what an attack's figures depend on beside the name."""
        return hashlib.sha256(self.train.numpy().tobytes() + self.test.numpy().tobytes()).hexdigest()[:16]


#: which photo was it? no attribute: an attack that yields links is judged by re-identification
LINKING = Task("linking", torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), 0, 0.0)


def make_task(name: str, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Task:
    """Compute an attacker's task.

    Args:
        name: one of NAMES.
        train: the attacker's (images [N,C,H,W] in [0, 1], labels [N]); they set the terciles' borders.
        test: likewise for the test images.

    Raises:
        UnknownNameError: no such task.
    """
    if name == "label":
        classes = int(max(train[1].max(), test[1].max())) + 1
        return task_of(name, train[1], test[1], classes)
    if name not in SCORES:
        raise UnknownNameError("attacker's task", name, NAMES)
    score = SCORES[name]
    mine, theirs = score(train[0].mean(1)), score(test[0].mean(1))
    borders = torch.quantile(mine, torch.tensor([1 / 3, 2 / 3])).repeat(int(max(train[1].max(), test[1].max())) + 1, 1)
    for label in train[1].unique().tolist():
        members = mine[train[1] == label]
        if len(members) >= 3:
            borders[label] = torch.quantile(members, torch.tensor([1 / 3, 2 / 3]))
    return task_of(name, _tercile(mine, borders[train[1]]), _tercile(theirs, borders[test[1]]), 3)


def _tercile(values: Tensor, borders: Tensor) -> Tensor:
    return (values[:, None] > borders).sum(1)


def task_of(name: str, train: Tensor, test: Tensor, classes: int) -> Task:
    """Make a task of known answers."""
    guess = torch.bincount(train, minlength=classes).argmax()
    return Task(name, train, test, classes, (test == guess).float().mean().item())


def answer_alone(task: Task, attacker_labels: Tensor, answers: Tensor) -> Outcome:
    """Guess the attribute from the user's answer alone: the most frequent one of that class, among the attacker's.

    Args:
        task: the attacker's.
        attacker_labels: [N] classes of the attacker's photos.
        answers: [M] the tail's answer for each test image.
    """
    classes = int(max(answers.max(), attacker_labels.max())) + 1
    table = torch.full((classes, task.classes), 0.5)
    table.index_put_((attacker_labels, task.train), torch.ones(len(task.train)), accumulate=True)
    shares = (table / table.sum(1, keepdim=True))[answers]
    index = torch.arange(len(task.test))
    return Outcome(shares[index, task.test], (shares.argmax(1) == task.test).float(), task.chance)
