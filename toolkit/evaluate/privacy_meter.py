"""PI of a protection at its present strength, without touching the test images: what `--min-pi` tunes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..attacks.base import Budget
from ..protect.protected import protection_class
from .attacking import Setting, attack_victim, build_attack
from .judge import judge_of
from .metrics.pi import pi
from .tasks import make_task
from .units import to_unit
from .victim import Victim

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..datasets._data import DataSplits
    from ..partition.split import Split
    from ..protect.fitting import Fitted
    from ..records.bundle import Preprocess

_ATTACK, _IMAGES = "attribute", 500
#: one round: the search asks often, and compares
_BUDGET = Budget(steps=240, rounds=1)


def pi_meter(
    halves: Split, fitted: Fitted, data: DataSplits, preprocess: Preprocess, seed: int = 0
) -> Callable[[], float]:
    """Return a function that retrains the attribute attacker and gives PI, in [0, 1].

    Args:
        halves: the unprotected network.
        fitted: the protection, at whatever strength it has when the function is called, and its head.
        data: the four parts.
        preprocess: from the manifest.
        seed: seeds the attacker.

    The attacker learns on attacker-train and is scored on victim-val. Its task is the slant of the digits for
    grey images and the brightness for colour ones, each a tercile within the class.
    """
    known, held = data.attacker_train.images[:_IMAGES], data.victim_val.images[:_IMAGES]
    photos = to_unit(held, preprocess)
    name = "slant" if preprocess.channels == 1 else "brightness"
    task = make_task(
        name,
        (to_unit(known, preprocess), data.attacker_train.labels[:_IMAGES]),
        (photos, data.victim_val.labels[:_IMAGES]),
    )
    judge = judge_of(halves.head, halves.tail, preprocess, halves.task)
    labels = data.victim_val.labels[:_IMAGES]
    setting = Setting(known, held, photos, labels, judge, preprocess, seed, budget=_BUDGET)
    none = protection_class("none").build(fitted.protection.features)

    def success(victim: Victim) -> float:
        return attack_victim(build_attack(_ATTACK), victim, setting, task=task).accuracy

    before = success(Victim(halves.head, halves.tail, none))

    def measure() -> float:
        found = pi(before, success(Victim(fitted.head, halves.tail, fitted.protection)), task.chance)
        return 1.0 if found is None else found  # an attack that never worked has nothing left to hinder

    return measure
