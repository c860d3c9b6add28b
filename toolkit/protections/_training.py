"""The loop that every trained protection shares: seeded, with progress, and resumable to the same weights.

A method brings its modules, its optimisers and one `step`; this file brings the order of the images, the
noise, the checkpoints and the frozen tail.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..inference import accuracy, in_batches
from .base import Protection, Training


@dataclass(frozen=True)
class Step:
    """One batch of a training.

    Attributes:
        images: [B,channels,H,W].
        labels: [B].
        smashed: the head's output before protection [B,C,h,w], without gradient.
        index: [B], where these images stand in `Training.images`.
        generator: draws every random number of the step.
    """

    images: Tensor
    labels: Tensor
    smashed: Tensor
    index: Tensor
    generator: torch.Generator

    def noise_for(self, protection: Protection, count: int | None = None) -> tuple[Tensor, ...]:
        """Fresh eps as the protection's further arguments, for `count` (default: the batch's) images."""
        eps = protection.draw_eps(len(self.images) if count is None else count, self.generator)
        return () if eps is None else (eps,)


@contextlib.contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Switch gradients of these modules' weights off, and back on afterwards."""
    held = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def trainable(module: nn.Module) -> Iterator[list[nn.Parameter]]:
    """Switch gradients of a frozen module's weights on, and off again afterwards."""
    held = [parameter for parameter in module.parameters() if not parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(True)
    try:
        yield list(module.parameters())
    finally:
        for parameter in held:
            parameter.requires_grad_(False)


class Balance(nn.Module):
    """The privacy term's weight, moved so that the user's accuracy stays where it has to [ours].

    A fixed weight means another accuracy for every network, cut and method. Here the weight grows while the
    running accuracy is at least the target and shrinks while it is below, for every trained method alike, so
    that methods are compared at equal cost to the user. It is a module because its state belongs in checkpoints.
    """

    weight: Tensor
    accuracy: Tensor

    def __init__(self, weight: float, max_drop: float, unprotected: float) -> None:
        super().__init__()
        self.target = unprotected - max_drop
        self.register_buffer("weight", torch.tensor(weight))
        self.register_buffer("accuracy", torch.tensor(unprotected))

    @property
    def holds(self) -> bool:
        """Whether the user's accuracy is where it has to be."""
        return self.accuracy.item() >= self.target

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Take in one batch's logits [B,K] and labels [B]."""
        right = (logits.argmax(1) == labels).float().mean()
        self.accuracy.mul_(0.95).add_(0.05 * right)
        self.weight.mul_(1.03 if self.holds else 0.94)


def balance_for(training: Training, weight: float, max_drop: float) -> Balance:
    """Start a balance from the accuracy that the network has before protection, on the training images."""
    unprotected = accuracy(lambda images: training.tail(training.head(images)), training.images, training.labels)
    return Balance(weight, max_drop, unprotected)


def reinitialise(module: nn.Module, seed: int) -> None:
    """Draw a module's initial weights from `seed`, whatever happened to the global generator before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()


def run(
    training: Training,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer | LRScheduler],
    step: Callable[[Step], float],
    text: str,
) -> None:
    """Go over the images for `training.epochs` epochs, calling `step` per batch; `step` updates the weights.

    After every epoch the whole state (weights, optimisers, generator) goes to `training.checkpoint`; a run
    that starts from such a state ends with the same weights as one that was never stopped.
    """
    generator = torch.Generator().manual_seed(training.seed)
    first = 0
    if training.resume_from is not None:
        first = _restore(training.resume_from, modules, optimizers, generator)
    smashed = in_batches(training.head, training.images)
    batches = -(-len(training.images) // training.batch_size)
    for epoch in range(first, training.epochs):
        order = torch.randperm(len(training.images), generator=generator)
        for number, index in enumerate(order.split(training.batch_size)):
            batch = Step(training.images[index], training.labels[index], smashed[index], index, generator)
            loss = step(batch)
            done = epoch * batches + number + 1
            training.progress(done, training.epochs * batches, f"{text}, loss {loss:.3f}")
        training.checkpoint(_state(epoch + 1, modules, optimizers, generator))


def _state(
    epoch: int,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer | LRScheduler],
    generator: torch.Generator,
) -> dict[str, object]:
    return {
        "epoch": epoch,
        "modules": {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()},
        "optimizers": {name: copy.deepcopy(optimizer.state_dict()) for name, optimizer in optimizers.items()},
        "generator": generator.get_state(),
    }


def _restore(
    state: dict[str, object],
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer | LRScheduler],
    generator: torch.Generator,
) -> int:
    weights, moments, position, epoch = state["modules"], state["optimizers"], state["generator"], state["epoch"]
    if not (isinstance(weights, dict) and isinstance(moments, dict) and isinstance(epoch, int)):
        raise TypeError("resume_from must be what checkpoint was given")
    for name, module in modules.items():
        module.load_state_dict(weights[name])
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(copy.deepcopy(moments[name]))
    if isinstance(position, Tensor):
        generator.set_state(position)
    return epoch
