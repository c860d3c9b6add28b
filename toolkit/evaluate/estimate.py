"""How long an evaluation will take, from a few steps of the very networks that it will train."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from ..attacks._fitting import LOOKS_PER_ROUND, has_bfloat16, held_out
from ..attacks._networks import Decoder, LargeClassifier, SmallClassifier
from ..attacks._observing import averaged, examples
from ..attacks._pictures import PictureLoss, mean_photo
from ..attacks.base import Knowledge
from .attacking import attack_class
from .metrics.likeness import ssim
from .running import Run, goals_of, looks_of, noise_of
from .tasks import LINKING, Task
from .variants import near_duplicates
from .victim import Victim

_STEPS = 3
_MORE = 3
#: rounds of a training that are run on the average, as parts of the first one: trials, the first, what follows
_TRIALS, _FIRST, _NEXT = 0.125, 1.0, 0.5
#: of a training step, a pass forward alone
_FORWARD = 0.35


def estimate(run: Run, victim: Victim) -> float:
    """Seconds that the attacks will take; features of the attacker's and the test photos are computed on the way."""
    started = time.monotonic()
    for one in (run.unprotected, victim):
        one.smashed(run.setting.attacker[:64].clone())
    head = (time.monotonic() - started) / 128
    knowledge = _knowledge(run, victim)
    step = _seconds_per_step(run, knowledge, victim)
    chosen, effort = run.settings, run.settings.tried
    seconds = 2 * head * (len(run.setting.attacker) + len(run.setting.test))
    for name in chosen.names:
        for task in goals_of(name, run.tasks):
            every = [*looks_of(name, chosen), *((1,) if name in effort.unprotected else ())]
            for looks in every:
                seconds += _training(run, name, task, step, looks)
                seconds += _answering(name, task, step, len(run.setting.test), effort.draws)
                if attack_class(name).sees == "variants":
                    # for the test photos, and for those the attacker is validated on
                    sent = len(run.setting.test) + held_out(len(run.setting.attacker))
                    seconds += sent / effort.budget.batch * looks * step["variant"]
    if any(LINKING in goals_of(name, run.tasks) for name in chosen.names):
        seconds += step["judge"] * len(run.setting.attacker)
    if effort.learning:
        # on a quarter and on half of the photos, with as many steps; the strongest attacker is most often the linker
        tried = ("linker",) if "linker" in chosen.names else chosen.names
        seconds += 2 * max(_training(run, name, task, step, 1) for name in tried for task in goals_of(name, run.tasks))
    points = 5 * (1 + len(chosen.compare)) if chosen.compare else 0
    return seconds + points * _training(run, "attribute", run.tasks[0], step, 1)


def _training(run: Run, name: str, task: Task | None, step: dict[str, float], looks: int) -> float:
    """Steps, validations, and what it takes to send each photo more than once."""
    kind, budget = attack_class(name), run.settings.tried.budget
    if kind.sees == "again" and task is None and noise_of(run.bundle) == "memoised":
        return 0.0  # all looks are equal: there is nothing to train
    kinds = ("decoder",) if task is None else ("small", "large")
    shares = {part: share for part, share in kind.work.items() if part in kinds}
    rounds = _FIRST + _NEXT * max(budget.rounds - 1, 0) * (0.8 if budget.rounds < 4 else 0.5)
    trials = _TRIALS * len(budget.rates) if len(budget.rates) > 1 else 0.0
    steps = budget.steps * (rounds + trials)
    held = held_out(len(run.setting.attacker))
    passes = held / budget.batch * (LOOKS_PER_ROUND * budget.rounds + len(budget.rates))
    more = 0.0 if kind.sees == "one" else (looks - 1) * step["variant" if kind.sees == "variants" else "look"]
    return sum(share * steps * (step[part] + more) + _FORWARD * passes * step[part] for part, share in shares.items())


def _answering(name: str, task: Task | None, step: dict[str, float], photos: int, draws: int) -> float:
    """Running the attack: a forward pass a photo, and judging pictures, or an optimisation of a few photos."""
    if attack_class(name).optimises:
        return 400 * step["head"]
    return photos * draws * (step["judge"] if task is None else 0.0)


def _seconds_per_step(run: Run, knowledge: Knowledge, victim: Victim) -> dict[str, float]:
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
    found["look"] = _one_more_look(victim, knowledge.images, batch)
    started = time.monotonic()
    with torch.no_grad():
        victim.head(knowledge.images[batch])
    heads = time.monotonic() - started
    started = time.monotonic()
    near_duplicates(run.setting.photos[: len(batch)], 1 + _MORE, torch.Generator().manual_seed(0))
    found["variant"] = found["look"] + heads + (time.monotonic() - started) / _MORE
    started = time.monotonic()
    few = run.setting.photos[:32]
    run.setting.judge.look(few)
    ssim(few, few)
    found["judge"] = (time.monotonic() - started) / len(few)
    return found


def _one_more_look(victim: Victim, images: torch.Tensor, batch: torch.Tensor) -> float:
    """Seconds of one more message of each photo of a batch."""
    if not victim.is_random:
        return 0.0
    generator, times = torch.Generator().manual_seed(0), []
    for looks in (1, 1, 1 + _MORE):
        started = time.monotonic()
        victim.messages(images, batch, looks, generator)
        times.append(time.monotonic() - started)
    return max(times[2] - times[1], 0.0) / _MORE


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
