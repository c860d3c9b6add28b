"""Train an attacker until it stops getting better: a validation split, a search of the learning rate, rounds.

A round lets the learning rate fall to zero. As long as another round lowers the validation loss by a percent, there
is one more, up to the budget's limit. The weights with the best validation loss are kept.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from .base import Knowledge, Training

#: of the attacker's photos: it chooses by these, and never learns from them
_HELD_OUT = 0.15
_HELD_OUT_MOST = 600
#: a round that gains less has converged
_GAIN = 0.01
#: a validation loss that is so much above the best one, three times running, means overfitting; one that
#: does not move yet is no reason to stop
_WORSE = 0.03
_PATIENCE = 3
#: at the validation loss
LOOKS_PER_ROUND = 6
#: share of the first round that each learning rate is tried for
_TRIAL = 0.125

Arguments = Callable[[Tensor], tuple[Tensor, ...]]
Loss = Callable[[Tensor, Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)


@dataclass
class _Course:
    """One attacker's training under way."""

    knowledge: Knowledge
    arguments: Arguments
    loss_of: Loss
    learn: Tensor
    held: Tensor
    held_arguments: tuple[Tensor, ...]
    generator: torch.Generator
    text: str
    total: int
    done: int = 0

    def loss(self, model: nn.Module, index: Tensor, given: tuple[Tensor, ...] | None = None) -> Tensor:
        """Mean loss of photos `index`, on messages drawn anew unless arguments are given."""
        seen = self.arguments(index) if given is None else given
        device = self.knowledge.device
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(self.knowledge)):
            made = model(*(tensor.to(device) for tensor in seen))
        return self.loss_of(made.float(), index)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> float:
        """Mean loss on the held-out photos, the same messages each time."""
        model.eval()
        sizes, total = 0, 0.0
        for rows in torch.arange(len(self.held)).split(2 * self.knowledge.budget.batch):
            seen = tuple(tensor[rows] for tensor in self.held_arguments)
            total += self.loss(model, self.held[rows], seen).item() * len(rows)
            sizes += len(rows)
        model.train()
        return total / sizes

    def steps(self, model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
        """Train for `count` steps."""
        batch = self.knowledge.budget.batch
        for _ in range(count):
            index = self.learn[torch.randint(len(self.learn), (min(batch, len(self.learn)),), generator=self.generator)]
            loss = self.loss(model, index)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            self.done += 1
            if self.done % 10 == 0:
                self.knowledge.progress(min(self.done, self.total), self.total, f"{self.text}, loss {loss.item():.4f}")


def has_bfloat16(knowledge: Knowledge) -> bool:
    """Whether convolutions may run in bfloat16: the budget allows it and the processor supports it."""
    if not knowledge.budget.bfloat16:
        return False
    if knowledge.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported())


def fit(
    knowledge: Knowledge,
    build: Callable[[], Network],
    loss_of: Loss,
    *,
    text: str,
    arguments: Arguments,
    share: float = 1.0,
    search: bool = True,
) -> Network:
    """Train a network on the attacker's own photos.

    Args:
        knowledge: of the attacker; its log gets a line.
        build: makes the network, in its initial state; called once per learning rate, under a fixed seed.
        loss_of: (what the network made [B,...] float32, index [B] into the attacker's photos) -> scalar.
        text: what is trained, for the log and the progress line.
        arguments: index [B] into the attacker's photos -> the network's arguments, drawn anew at each call.
        share: of the budget's steps, for small networks and for those that start from a trained one.
        search: try every learning rate of the budget; else the smallest.

    Returns:
        The network with the best validation loss, in eval mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(knowledge.seed)  # dropout layers and initial weights draw from the global generator
        return _fit(knowledge, build, loss_of, text, arguments, share, search)


@torch.no_grad()
def applied(network: nn.Module, inputs: tuple[Tensor, ...], device: torch.device, at_once: int = 256) -> Tensor:
    """Apply a trained network in float32, some photos at a time: its answers [B,...] on the host."""
    parts = zip(*(one.split(at_once) for one in inputs), strict=True)
    return torch.cat([network(*(one.to(device) for one in part)).cpu() for part in parts])


def held_out(count: int) -> int:
    """How many of an attacker's photos it is validated on."""
    return min(max(round(_HELD_OUT * count), 1), _HELD_OUT_MOST)


def split_of(knowledge: Knowledge) -> tuple[Tensor, Tensor]:
    """Indices of the photos to learn from and of those to be validated on; disjoint."""
    count = len(knowledge.images)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(knowledge.seed + 17))
    held = held_out(count)
    return order[held:], order[:held]


def _fit(
    knowledge: Knowledge,
    build: Callable[[], Network],
    loss_of: Loss,
    text: str,
    arguments: Arguments,
    share: float,
    search: bool,
) -> Network:
    budget = knowledge.budget
    learn, held = split_of(knowledge)
    steps = max(round(budget.steps * share), 2 * LOOKS_PER_ROUND)
    rates = budget.rates if search else (min(budget.rates),)
    held_arguments = tuple(
        torch.cat(parts) for parts in zip(*(arguments(rows) for rows in held.split(budget.batch)), strict=True)
    )
    trial = round(steps * _TRIAL) if len(rates) > 1 else 0
    course = _Course(
        knowledge, arguments, loss_of, learn, held, held_arguments, torch.Generator().manual_seed(knowledge.seed), text,
        total=trial * len(rates) + steps + (budget.rounds - 1) * (steps // 2),
    )  # fmt: skip
    rate, model, losses = _choose(course, build, rates, trial)
    best, kept = losses[-1], copy.deepcopy(model.state_dict())
    converged = False
    for number in range(budget.rounds):
        before = best
        length = steps if number == 0 else steps // 2
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate / 2**number, weight_decay=1e-4, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _falling(max(length // 20, 1), length))
        worse = 0
        for part in _parts(length):
            for _ in range(part):
                course.steps(model, optimizer, 1)
                schedule.step()
            losses.append(course.validate(model))
            worse = worse + 1 if losses[-1] > (1.0 + _WORSE) * best else 0
            if losses[-1] < best:
                best, kept = losses[-1], copy.deepcopy(model.state_dict())
            if worse >= _PATIENCE:
                break
        model.load_state_dict(kept)
        converged = worse >= _PATIENCE or (number > 0 and best > before - _GAIN * abs(before))
        if converged:
            break
    knowledge.log.append(
        Training(text, len(learn), rate, course.done, converged, tuple(round(loss, 5) for loss in losses))
    )
    return model.eval()


def _choose(
    course: _Course, build: Callable[[], Network], rates: tuple[float, ...], trial: int
) -> tuple[float, Network, list[float]]:
    """Try each learning rate for a while; the network of the best one goes on."""
    found: list[tuple[float, float, Network]] = []
    for rate in rates:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(course.knowledge.seed)
            model = build().to(course.knowledge.device).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4, betas=(0.9, 0.98))
        course.steps(model, optimizer, trial)
        found.append((course.validate(model), rate, model))
    loss, rate, model = min(found, key=lambda one: one[0] if one[0] == one[0] else float("inf"))
    return rate, model, [loss]


def _falling(warm: int, length: int) -> Callable[[int], float]:
    return lambda step: min((step + 1) / warm, max(1.0 - step / length, 0.0) + 1e-3)


def _parts(length: int) -> list[int]:
    """Divide a round into pieces between two looks at the validation loss."""
    edges = [round(length * number / LOOKS_PER_ROUND) for number in range(LOOKS_PER_ROUND + 1)]
    return [after - before for before, after in itertools.pairwise(edges)]
