"""What answers are judged by: class labels where they say what is right, else the unprotected network's own answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..inference import Rows, device_of, rows_at_once
from .base import Answers, Task, collect

#: inputs whose answers are computed together, at most
_BATCH = 64


@dataclass(frozen=True)
class Truth:
    """What N photos' answers should be.

    Attributes:
        task: says how answers are compared.
        labels: [N] class labels, or None where the unprotected network's answers are the truth.
        wanted: what is kept of those answers.
    """

    task: Task
    labels: Tensor | None
    wanted: Answers

    def rows(self, index: Tensor) -> Truth:
        """The same of some of the photos, index [n]."""
        labels = None if self.labels is None else self.labels[index]
        return Truth(self.task, labels, tuple(value[index] for value in self.wanted))

    @property
    def labelled(self) -> bool:
        """Whether labels say what is right."""
        return self.labels is not None

    @property
    def metric(self) -> str:
        """What one photo's score means."""
        return self.task.metric if self.labelled else self.task.agreement

    def right(self, kept: Answers) -> Tensor:
        """How right each of the N photos' answers is [N], 0 to 1; `kept` as `kept_answers` left them."""
        if self.labels is not None:
            return self.task.right(kept, self.labels)
        return self.task.compare(kept, self.wanted)

    @property
    def unprotected(self) -> Tensor:
        """The same of the unprotected network itself [N]."""
        return self.right(self.wanted)

    def accuracy(
        self, module: nn.Module | Callable[[Tensor], Tensor], inputs: Rows, batch_size: int | None = None
    ) -> float:
        """Mean score of a module [n,...] -> a tail's outputs, on N inputs."""
        return self.right(kept_answers(self.task, module, inputs, batch_size)).mean().item()


@torch.no_grad()
def kept_answers(
    task: Task,
    module: nn.Module | Callable[[Tensor], Tensor],
    inputs: Rows,
    batch_size: int | None = None,
) -> Answers:
    """Apply a module to many inputs [N,...] and keep of its outputs what comparing needs.

    `batch_size` is 64, or fewer where inputs are large; a module that draws noise is given one of its own.
    """
    device = device_of(module)
    rows = batch_size or rows_at_once(inputs, _BATCH)
    return collect(task.keep(task.answers(module(part.to(device)).cpu())) for part in inputs.split(rows))


def truth_for(
    task: Task,
    module: nn.Module | Callable[[Tensor], Tensor],
    inputs: Rows,
    labels: Tensor | None,
) -> Truth:
    """What answers to N inputs should be.

    Args:
        task: the network's.
        module: the unprotected network, or its tail.
        inputs: [N,...], what it takes.
        labels: [N], -1 where a photo has none; they count only where all have one and the task goes by labels.
    """
    told = labels if task.uses_labels and labels is not None and bool((labels >= 0).all()) else None
    return Truth(task, told, kept_answers(task, module, inputs))
