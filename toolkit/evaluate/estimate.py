"""How long an evaluation will take, from a few steps of the very networks that it will train."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from ..attacks._fitting import has_bfloat16
from ..attacks._networks import Decoder, LargeClassifier, SmallClassifier
from ..attacks._observing import averaged, examples
from ..attacks._pictures import PictureLoss, mean_photo
from ..attacks.base import Budget, Knowledge
from .attacking import attack_class
from .metrics.likeness import ssim
from .running import Run, goals_of, looks_of
from .tasks import Task
from .victim import Victim

_STEPS = 3
#: rounds of a training that are run on the average, as parts of the first one: trials, the first, what follows
_TRIALS, _FIRST, _NEXT = 0.125, 1.0, 0.5


def estimate(run: Run, victim: Victim) -> float:
    """Seconds that the attacks will take; features of the attacker's and the test photos are computed on the way."""
    started = time.monotonic()
    for one in (run.unprotected, victim):
        one.smashed(run.setting.attacker[:64].clone())
    head = (time.monotonic() - started) / 128
    knowledge = _knowledge(run, victim)
    step = _seconds_per_step(run, knowledge)
    chosen, effort = run.settings, run.settings.tried
    seconds = 2 * head * (len(run.setting.attacker) + len(run.setting.test))
    for name in chosen.names:
        for task in goals_of(name, run.tasks):
            known = sum(1 for _ in looks_of(name, chosen)) + (1 if name in effort.unprotected else 0)
            seconds += known * _training(name, task, step, effort.budget)
            seconds += known * _answering(name, task, step, len(run.setting.test), effort.draws)
    if effort.learning:
        seconds += 0.75 * max(_training(name, task, step, effort.budget)
                              for name in chosen.names for task in goals_of(name, run.tasks))  # fmt: skip
    points = 5 * (1 + len(chosen.compare)) if chosen.compare else 0
    return seconds + points * _training("attribute", run.tasks[0], step, effort.budget)


def _training(name: str, task: Task | None, step: dict[str, float], budget: Budget) -> float:
    kinds = ("decoder",) if task is None else ("small", "large")
    rounds = _FIRST + _NEXT * max(budget.rounds - 1, 0) * (0.8 if budget.rounds < 4 else 0.5)
    trials = _TRIALS * len(budget.rates) if len(budget.rates) > 1 else 0.0
    work = sum(share * step[kind] for kind, share in attack_class(name).work.items() if kind in kinds)
    return work * budget.steps * (rounds + trials)


def _answering(name: str, task: Task | None, step: dict[str, float], photos: int, draws: int) -> float:
    """Running the attack: a forward pass a photo, and judging pictures, or an optimisation of a few photos."""
    if attack_class(name).optimises:
        return 400 * step["head"]
    return photos * draws * (step["judge"] if task is None else 0.0)


def _seconds_per_step(run: Run, knowledge: Knowledge) -> dict[str, float]:
    def arguments(index: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return averaged(knowledge.observe(index))

    shapes, width = examples(knowledge, arguments), knowledge.budget.width
    batch = torch.arange(min(knowledge.budget.batch, len(knowledge.images)))
    loss = PictureLoss(knowledge)
    found = {
        "decoder": _timed(knowledge, Decoder(shapes, mean_photo(knowledge), width), arguments, batch, loss),
        "small": _timed(knowledge, SmallClassifier(shapes, 2, width // 2), arguments, batch, None),
        "large": _timed(knowledge, LargeClassifier(shapes, 2, width), arguments, batch, None),
    }
    started = time.monotonic()
    images = knowledge.images[batch].clone().requires_grad_(True)
    if knowledge.head is not None:
        torch.stack([one.square().mean() for one in knowledge.head(images, ())]).sum().backward()
    found["head"] = time.monotonic() - started
    started = time.monotonic()
    few = run.setting.photos[:32]
    run.setting.judge.look(few)
    ssim(few, few)
    found["judge"] = (time.monotonic() - started) / len(few)
    return found


def _timed(
    knowledge: Knowledge,
    model: nn.Module,
    arguments: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
    batch: torch.Tensor,
    loss: PictureLoss | None,
) -> float:
    """Seconds of one training step, the median of a few."""
    optimizer = torch.optim.AdamW(model.to(knowledge.device).train().parameters(), lr=0.0)
    times = []
    for _ in range(_STEPS):
        started = time.monotonic()
        with torch.autocast(knowledge.device.type, torch.bfloat16, enabled=has_bfloat16(knowledge)):
            made = model(*(one.to(knowledge.device) for one in arguments(batch)))
        value = made.float().square().mean() if loss is None else loss(made.float(), batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        times.append(time.monotonic() - started)
    return sorted(times)[len(times) // 2]


def _knowledge(run: Run, victim: Victim) -> Knowledge:
    generator = torch.Generator().manual_seed(0)
    images = run.setting.attacker[:256].clone()
    return Knowledge(
        images=images,
        attribute=None,
        classes=0,
        observe=lambda index: victim.messages(images, index, 1, generator),
        single=lambda index: victim.messages(images, index, 1, generator),
        head=victim.white_box,
        seed=0,
        budget=run.setting.budget,
        device=run.setting.device,
    )
