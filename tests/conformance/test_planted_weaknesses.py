"""Protections with a weakness that somebody planted: the headline PI has to fall to where it belongs."""

from functools import cache

import pytest
import torch
from privacy_case import FEATURES, case, slant
from torch import Tensor

from toolkit import plugins, protections
from toolkit.evaluate.attacking import attack_class, attack_victim, build_attack
from toolkit.evaluate.noise import Fresh
from toolkit.evaluate.outcome import Outcome
from toolkit.evaluate.scoring import headline, score, strongest
from toolkit.evaluate.tasks import Task, task_of
from toolkit.evaluate.victim import Victim
from toolkit.protections.base import Protection
from toolkit.protections.none import NoProtection

pytestmark = pytest.mark.slow
#: features of the case are about 1
LOUD = 300.0
#: positions of the leak, rows and columns of the 8 x 8 map; a position is two pixels wide
BLOCK = slice(3, 5)
PIXELS = slice(6, 10)


class Buried(Protection):
    """Features under noise that leaves nothing, but for one block of positions if `leaks`."""

    trains = "nothing"

    def __init__(self, *, leaks: bool) -> None:
        super().__init__(FEATURES)
        self.leaks = leaks

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        share = torch.ones(1, 1, *FEATURES[1:])
        if self.leaks:
            share[:, :, BLOCK, BLOCK] = 0.0
        return smashed + LOUD * share * eps


class Telling(Victim):
    """Its messages are noise, and as long as their attribute says."""

    def messages(self, images, index, looks, generator):
        sent = super().messages(images, index, looks, generator)
        task = slant()
        truth = task.train if images is case().setting.attacker else task.test
        sent.bytes[:] = 400.0 + 10.0 * truth[index][:, None] + 5.0 * torch.rand(sent.bytes.shape, generator=generator)
        return sent


class Clock(Fresh):
    """Noise seeded by the second of the day: every phone draws the same at the same moment."""

    def draw(self, photos, looks, shape, generator):
        seconds = torch.randint(86_400, (photos,), generator=generator).tolist()
        eps = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(second)) for second in seconds])
        return eps[:, None].expand(-1, looks, *shape), eps


class Balanced(Fresh):
    """Noise that sums to zero over the looks at a photo, as if somebody had meant to keep the mean right."""

    def draw(self, photos, looks, shape, generator):
        eps, guess = super().draw(photos, looks, shape, generator)
        return eps - eps.mean(1, keepdim=True) if looks > 1 else eps, guess


def _in_the_block() -> Task:
    """Whether there is much ink where the block is: half of the photos have it."""
    one = case().setting
    ink = [photos[:, :, PIXELS, PIXELS].mean((1, 2, 3)) for photos in (one.attacker, one.test)]
    middle = ink[0].median()
    return task_of("ink in the block", *((values > middle).long() for values in ink), 2)


@cache
def _bare(task_name: str | None) -> Outcome:
    one = case()
    task = {None: None, "slant": slant(), "ink in the block": _in_the_block()}[task_name]
    victim = Victim(one.head, one.tail, NoProtection(FEATURES))
    names = ("residual_decoder",) if task is None else ("attribute", "attribute_large")
    return strongest(attack_victim(build_attack(name), victim, one.setting, task=task) for name in names)


def _headline(victim: Victim, names: tuple[str, ...], *, task: Task | None = None, looks: int = 10):
    one = case()
    shared: dict = {}
    user = victim.user_side(one.setting.test, one.setting.labels, 0.9, 1, 0)
    rows = []
    for name in names:
        for goal in (None, task):
            wants = "images" if goal is None else "attribute"
            if (goal is None and task is not None) or wants not in attack_class(name).yields:
                continue
            before = _bare(None if goal is None else goal.name)
            after = attack_victim(build_attack(name), victim, one.setting, task=goal, looks=looks, shared=shared)
            told = "reconstruction" if goal is None else goal.name
            rows.append(score("planted", 1.0, name, told, looks, user, before, after, draws=1, seed=0))
    found = headline(rows)
    assert found is not None
    return found


def test_noise_that_leaves_nothing_is_what_the_others_are_compared_with():
    one = case()
    victim = Victim(one.head, one.tail, Buried(leaks=False))
    assert _headline(victim, ("residual_decoder", "averaging")).pi > 0.85
    assert _headline(victim, ("attribute", "attribute_large", "message_length"), task=slant()).pi > 0.8
    assert _headline(victim, ("attribute", "attribute_large"), task=_in_the_block()).pi > 0.8


def test_one_block_that_leaks():
    one = case()
    found = _headline(
        Victim(one.head, one.tail, Buried(leaks=True)), ("attribute", "attribute_large"), task=_in_the_block()
    )
    assert found.pi < 0.25


def test_a_leak_in_the_length_alone():
    one = case()
    names = ("attribute", "attribute_large", "message_length")
    found = _headline(Telling(one.head, one.tail, Buried(leaks=False)), names, task=slant())
    assert found.attack == "message_length"
    assert found.pi < 0.05


def test_noise_that_the_time_of_day_seeds():
    one = case()
    victim = Victim(one.head, one.tail, Buried(leaks=False), noise=Clock())
    found = _headline(victim, ("residual_decoder", "rmle"), looks=1)
    assert found.pi < 0.25
    attribute = _headline(victim, ("attribute", "attribute_large"), task=slant(), looks=1)
    assert attribute.pi < 0.5


def test_strong_at_one_look_and_void_at_ten():
    one = case()
    victim = Victim(one.head, one.tail, Buried(leaks=False), noise=Balanced())
    assert _headline(victim, ("residual_decoder",)).pi > 0.85
    every = _headline(victim, ("residual_decoder", "averaging"), looks=10)
    assert every.attack == "averaging"
    assert every.pi < 0.25
    attribute = _headline(victim, ("attribute", "averaging"), task=slant(), looks=10)
    assert attribute.attack == "averaging"
    assert attribute.pi < 0.25


def test_features_that_are_dropped_anew_come_back_over_the_looks():
    one = case()
    protection = plugins.load(protections, "protection", "dropout", Protection).build(FEATURES)
    protection.eval().set_strength(6.0)
    victim = Victim(one.head, one.tail, protection)
    single = _headline(victim, ("residual_decoder",))
    every = _headline(victim, ("residual_decoder", "averaging"), looks=40)
    assert single.pi > 0.4
    assert every.attack == "averaging"
    assert every.pi < single.pi - 0.3
