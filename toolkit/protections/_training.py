"""The loop that every trained protection shares: seeded, with progress, and resumable to the same weights.

A method brings its modules, its optimisers and one `step`; this file brings the order of the images, the
noise, the checkpoints and the frozen tail.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ..errors import InputError
from ._devices import ALONE, Devices
from ._estimate import estimate
from ._features import Features, features_of, head_of, photos_of, room_of
from ._parts import behind
from .base import Protection, Training

#: training images that the unprotected accuracy is measured on, at most
_JUDGED = 8192


@dataclass(frozen=True)
class Step:
    """One process's part of one batch of a training.

    Attributes:
        labels: [B].
        index: [B], where these images stand in `Training.images`.
        generator: draws every random number of the step, the same ones in every process.
        weight: what a mean over these B counts in the loss, so that the mean over processes is that of the batch.
        batch: [A] all processes' index.
        all_labels: [A] their labels.
        devices: where the arithmetic happens.
        training: what the batch is of.
        given_images: [B,channels,H,W], or None where only features were asked for.
        given_smashed: [A,C,h,w] the head's output before protection, without gradient; None where the head is trained.
    """

    labels: Tensor
    index: Tensor
    generator: torch.Generator
    weight: float
    batch: Tensor
    all_labels: Tensor
    devices: Devices
    training: Training
    given_images: Tensor | None
    given_smashed: Tensor | None

    @property
    def images(self) -> Tensor:
        """This process's photos [B,channels,H,W]; for methods that train the head."""
        if self.given_images is None:
            raise TypeError("a frozen head's training has features, not photos")
        return self.given_images

    @property
    def all_smashed(self) -> Tensor:
        """The whole batch's features [A,C,h,w], for terms that are statistics over it."""
        if self.given_smashed is None:
            raise TypeError("a head that is trained has no features before the step")
        return self.given_smashed

    @property
    def smashed(self) -> Tensor:
        """This process's features [B,C,h,w]."""
        return self.devices.own(self.all_smashed)

    @functools.cached_property
    def wanted(self) -> Tensor:
        """The unprotected network's answers [B,K], without gradient."""
        reference = self.training.reference
        with torch.no_grad():
            return self.training.tail(self.smashed) if reference is None else reference(self.images)

    def answers(self, protection: Protection) -> Tensor:
        """The tail's answers [B,K] to what a protection makes of this process's features, with fresh noise."""
        return behind(self.training.tail, protection, self.smashed, *self.noise_for(protection))

    def loss(self, logits: Tensor) -> Tensor:
        """How far the tail's answers [B,K] are from right: by labels where they say so, else by what is wanted."""
        task = self.training.task
        if self.training.labelled:
            return task.labelled_loss(task.answers(logits), self.labels)
        return task.loss(task.answers(logits), task.answers(self.wanted))

    @torch.no_grad()
    def scores(self, logits: Tensor) -> Tensor:
        """How right the tail's answers [B,K] are [B], 0 to 1."""
        task = self.training.task
        kept = task.keep(task.answers(logits))
        if self.training.labelled:
            return task.right(kept, self.labels)
        return task.compare(kept, task.keep(task.answers(self.wanted)))

    def noise_for(self, protection: Protection) -> tuple[Tensor, ...]:
        """Fresh eps as the protection's further arguments: drawn for the whole batch, this process's rows of it."""
        eps = protection.draw_eps(len(self.batch), self.generator)
        return () if eps is None else (self.devices.own(eps).to(self.devices.device),)


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

    def __init__(self, weight: float, max_drop: float, unprotected: float, devices: Devices = ALONE) -> None:
        super().__init__()
        self.target = unprotected - max_drop
        self.devices = devices
        self.register_buffer("weight", torch.tensor(weight, device=devices.device))
        self.register_buffer("accuracy", torch.tensor(unprotected, device=devices.device))

    @property
    def holds(self) -> bool:
        """Whether the user's accuracy is where it has to be."""
        return self.accuracy.item() >= self.target

    @torch.no_grad()
    def update(self, scores: Tensor) -> None:
        """Take in how right one batch's answers are [B], 0 to 1, of all processes."""
        hits = scores.sum()
        counted = self.devices.total(torch.stack([hits, torch.full_like(hits, len(scores))]))
        self.accuracy.mul_(0.95).add_(0.05 * counted[0] / counted[1])
        self.weight.mul_(1.03 if self.holds else 0.94)


@torch.no_grad()
def balance_for(training: Training, weight: float, max_drop: float) -> Balance:
    """Start a balance from the accuracy that the network has before protection, on training images."""
    devices, task = training.devices, training.task
    if not training.labelled:
        return Balance(weight, max_drop, 1.0, devices)
    order = torch.arange(min(len(training.images), _JUDGED)).split(128)
    hits = [
        task.right(task.keep(task.answers(training.tail(features.to(devices.device)).cpu())), training.labels[index])
        for index, features in zip(order, head_of(training, order), strict=True)
    ]
    return Balance(weight, max_drop, torch.cat(hits).mean().item(), devices)


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
    that starts from such a state ends with the same weights as one that was never stopped. Several processes draw the
    same numbers and take every P-th photo of each batch each; gradients are averaged before an optimiser steps.

    Raises:
        InputError: several processes, and a method whose terms are statistics over whole batches of photos.
    """
    devices = training.devices
    trains_head = any(module is training.head for module in modules.values())
    if trains_head and devices.processes > 1:
        raise InputError(
            f"{text} trains the head by statistics over whole batches, which {devices.processes} processes do not see; "
            "run it in one process."
        )
    generator = torch.Generator().manual_seed(training.seed)
    first = 0
    if training.resume_from is not None:
        first = _restore(training.resume_from, modules, optimizers, generator)
    for optimizer in optimizers.values():
        if isinstance(optimizer, Optimizer):
            optimizer.register_step_pre_hook(lambda stepping, *_: devices.average_gradients(_parameters(stepping)))
    if not trains_head and devices.first:
        line = estimate(training, *room_of(training))
        if line:
            training.tell(line)
    features = None if trains_head else features_of(training)
    batches = -(-len(training.images) // training.batch_size)
    for epoch in range(first, training.epochs):
        order = torch.randperm(len(training.images), generator=generator).split(training.batch_size)
        done = epoch * batches
        for batch in _batches(training, features, order, epoch, generator):
            loss = devices.mean(step(batch))
            done += 1
            training.progress(done, training.epochs * batches, f"{text}, loss {loss:.4f}")
            del batch  # before the next one is made: of an early cut, it is not small
        if devices.first:
            training.checkpoint(_state(epoch + 1, modules, optimizers, generator))


def _batches(
    training: Training, features: Features | None, order: Sequence[Tensor], epoch: int, generator: torch.Generator
) -> Iterator[Step]:
    devices = training.devices
    own = [devices.own(index) for index in order]
    # a frozen head's photos are not decoded again
    photos = photos_of(training.images, own, epoch) if features is None else None
    smashed = None if features is None else features.batches(order)
    for index, mine in zip(order, own, strict=True):
        labels = training.labels[index]
        yield Step(
            labels=devices.own(labels).to(devices.device),
            index=mine,
            generator=generator,
            weight=devices.weight(index),
            batch=index,
            all_labels=labels.to(devices.device),
            devices=devices,
            training=training,
            given_images=None if photos is None else next(photos).to(devices.device),
            given_smashed=None if smashed is None else next(smashed).to(devices.device),
        )


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _state(
    epoch: int,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer | LRScheduler],
    generator: torch.Generator,
) -> dict[str, object]:
    return {
        "epoch": epoch,
        "modules": {name: _kept(module.state_dict()) for name, module in modules.items()},
        "optimizers": {name: _kept(optimizer.state_dict()) for name, optimizer in optimizers.items()},
        "generator": generator.get_state(),
    }


def _kept(state: Any) -> Any:  # noqa: ANN401 (what torch calls a state: nested dicts and lists)
    """A copy on the CPU, which any machine can go on from."""
    if isinstance(state, Tensor):
        return state.detach().cpu().clone()
    if isinstance(state, dict):
        return {key: _kept(value) for key, value in state.items()}
    return [_kept(value) for value in state] if isinstance(state, list) else copy.deepcopy(state)


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
