"""A small trained network on real digits, cut early: what the privacy tests protect and attack."""

import copy
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from toolkit.attacks.base import Budget
from toolkit.datasets._data import DataSplits, load_data
from toolkit.evaluate.attacking import Setting
from toolkit.evaluate.judge import judge_of
from toolkit.evaluate.tasks import Task, make_task
from toolkit.evaluate.units import to_unit
from toolkit.protections.base import Protection, Training
from toolkit.records.bundle import Preprocess

PREPROCESS = Preprocess(channels=1, height=16, width=16, mean=[0.1], std=[0.3])
FEATURES = (8, 8, 8)


@dataclass(frozen=True)
class Case:
    data: DataSplits
    head: nn.Module
    tail: nn.Module
    setting: Setting

    def training(self, **changes: object) -> Training:
        part = self.data.victim_train
        known: dict[str, object] = {"images": part.images[:512], "labels": part.labels[:512], "epochs": 2}
        return Training(head=copy.deepcopy(self.head), tail=self.tail, **{**known, **changes})

    def fitted(self, protection: Protection, **changes: object) -> tuple[Protection, nn.Module]:
        training = self.training(**changes)
        protection.fit(training)
        return protection.eval().requires_grad_(False), training.head

    def labels(self) -> tuple[Tensor, Tensor]:
        return self.data.attacker_train.labels, self.data.test.labels


@cache
def case() -> Case:
    torch.set_num_threads(1)
    data = load_data("digits", PREPROCESS, limit=2400)
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    tail = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 10)
    )
    network = nn.Sequential(head, tail)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(8):
        for index in torch.randperm(len(data.victim_train)).split(64):
            logits = network(data.victim_train.images[index])
            loss = nn.functional.cross_entropy(logits, data.victim_train.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval().requires_grad_(False)
    setting = Setting(
        attacker=data.attacker_train.images,
        test=data.test.images[:200],
        photos=to_unit(data.test.images[:200], PREPROCESS),
        labels=data.test.labels[:200],
        judge=judge_of(head, tail, PREPROCESS),
        preprocess=PREPROCESS,
        seed=0,
        budget=Budget(steps=150, rounds=1, rates=(3e-3,), width=16),
    )
    return Case(data, head, tail, setting)


@cache
def slant() -> Task:
    """The slant of a digit: what the tests' attackers want to know."""
    one = case()
    photos = to_unit(one.setting.attacker, PREPROCESS), one.setting.photos
    return make_task("slant", (photos[0], one.labels()[0]), (photos[1], one.setting.labels))
