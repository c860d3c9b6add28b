"""One cell of a sweep: a network, a cut, a method, a strength and a seed, under every attack.

A cell is a pure function of its description: it runs the same on this machine, in a joblib worker or on a Ray node.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..datasets._data import DataSplits, load_data
from ..inference import accuracy, in_batches
from ..partition.network import load_network
from ..partition.split import Split, split
from ..protect.fitting import Fitting, fit_and_calibrate
from ..records.bundle import Preprocess, Record
from ..records.privacy import PrivacyRow
from .attacking import Outcome, Setting, attack_victim, build_attack, to_unit
from .judge import Judge
from .scoring import score
from .tasks import Task, make_task
from .victim import Victim


class NetworkPlan(Record):
    """A trained network of a sweep and where to cut it. `user_task` "parity": label modulo 2."""

    name: str
    source: str
    weights: str | None = None
    cuts: list[str]
    preprocess: Preprocess
    user_task: Literal["label", "parity"] = "label"


class AttackPlan(Record):
    """An attack of a sweep: each of its tasks (none for reconstruction) with each number of observations."""

    name: str
    tasks: tuple[str, ...] = ()
    observations: tuple[int, ...] = (1,)
    options: dict[str, float] = Field(default_factory=dict)
    #: only with these methods, seeds; empty: all
    methods: tuple[str, ...] = ()


class Cell(Record):
    """Everything that a cell's figures depend on."""

    network: NetworkPlan
    weights_sha256: str
    cut: str
    method: str
    options: dict[str, float]
    #: None: the largest strength that keeps the accuracy
    strength: float | None
    seed: int
    data: str
    attacks: list[AttackPlan]
    epochs: int
    draws: int
    #: relative to the unprotected accuracy: 0.01 asks for PA >= 0.99
    max_accuracy_drop: float
    attacker_images: int
    test_images: int


class CellResult(Record):
    """What a finished cell leaves behind. `success` is what the others' PI is measured against."""

    cell: Cell
    rows: list[PrivacyRow]
    met: bool
    statistics: dict[str, float]
    seconds: float
    success: dict[str, list[float]] = Field(repr=False)


@cache
def _data(spec: str, preprocess: str) -> DataSplits:
    return load_data(spec, Preprocess.model_validate_json(preprocess))


@cache
def _split(network: str, cut: str) -> Split:
    plan = NetworkPlan.model_validate_json(network)
    shape = (plan.preprocess.channels, plan.preprocess.height, plan.preprocess.width)
    classes = 2 if plan.user_task == "parity" else None
    return split(load_network(plan.source, shape, Path(plan.weights) if plan.weights else None, classes), cut)


@cache
def _judge(spec: str, preprocess: str, seed: int) -> Judge:
    data, how = _data(spec, preprocess), Preprocess.model_validate_json(preprocess)
    judge = Judge(how.channels, len(data.classes), seed)
    judge.train(to_unit(data.victim_train.images, how), data.victim_train.labels)
    return judge


def run_cell(cell: Cell, baseline: CellResult | None) -> CellResult:
    """Fit, calibrate and attack.

    Args:
        cell: what to do.
        baseline: the finished cell of the same network, cut and seed without protection; None for that one itself.
    """
    started = time.monotonic()
    how = cell.network.preprocess.model_dump_json()
    data = _data(cell.data, how)
    halves = _split(cell.network.model_dump_json(), cell.cut)
    victim, met = protected_victim(cell, halves, data)
    photos = to_unit(data.test.images, cell.network.preprocess)[: cell.test_images]
    setting = Setting(
        attacker=data.attacker_train.images[: cell.attacker_images],
        test=data.test.images[: cell.test_images],
        photos=photos,
        labels=data.test.labels[: cell.test_images],
        judge=_judge(cell.data, how, 0),
        seed=cell.seed,
    )
    truth = _user(cell, data.test.labels)
    unprotected = accuracy(halves.tail, in_batches(halves.head, data.test.images), truth)
    user = victim.user_side(data.test.images, truth, unprotected, max(cell.draws, 4), cell.seed)
    strength = victim.protection.strength.item()
    rows: list[PrivacyRow] = []
    success: dict[str, list[float]] = {}
    for plan in cell.attacks:
        if plan.methods and cell.method not in (*plan.methods, "none"):
            continue
        for name in plan.tasks or ("reconstruction",):
            task = None if name == "reconstruction" else _task(name, cell, data, setting)
            for observations in plan.observations:
                if observations > 1 and not victim.is_random:
                    continue  # equal observations: the row for one holds
                draws = cell.draws if observations == 1 else 1
                after = attack_victim(
                    build_attack(plan.name, plan.options), victim, setting, cell.network.preprocess,
                    task=task, observations=observations, draws=draws,
                )  # fmt: skip
                key = f"{plan.name}/{name}"
                success[f"{key}/{observations}"] = [round(value, 5) for value in after.success.tolist()]
                before = after if baseline is None else _before(baseline, key, after)
                used = draws if victim.is_random else 1
                rows.append(
                    score(
                        cell.method, strength, plan.name, name, observations, user, before, after,
                        draws=used, seed=cell.seed,
                    )
                )  # fmt: skip
    return CellResult(
        cell=cell,
        rows=rows,
        met=met,
        statistics=victim.protection.statistics(victim.smashed(setting.test)),
        seconds=round(time.monotonic() - started, 1),
        success=success,
    )


def protected_victim(cell: Cell, halves: Split, data: DataSplits) -> tuple[Victim, bool]:
    """Fit a cell's protection on victim-train and set its strength on victim-val."""
    fixed = cell.strength is not None
    wanted = Fitting(
        cell.method,
        options=cell.options,
        epochs=cell.epochs,
        seed=cell.seed,
        max_drop=None if fixed else cell.max_accuracy_drop,
        relative=True,
        draws=4,
        relabel=lambda labels: _user(cell, labels),
    )
    fitted = fit_and_calibrate(halves, data, wanted)
    if cell.strength is not None:
        fitted.protection.set_strength(cell.strength)
    met = fitted.calibration is None or fitted.calibration.met
    return Victim(fitted.head, halves.tail, fitted.protection), met


def _user(cell: Cell, labels: Tensor) -> Tensor:
    return labels % 2 if cell.network.user_task == "parity" else labels


def _task(name: str, cell: Cell, data: DataSplits, setting: Setting) -> Task:
    attacker = to_unit(setting.attacker, cell.network.preprocess), data.attacker_train.labels[: len(setting.attacker)]
    return make_task(name, attacker, (setting.photos, setting.labels))


def _before(baseline: CellResult, key: str, after: Outcome) -> Outcome:
    """Rebuild the unprotected outcome from the baseline's file, as far as scoring needs it."""
    attack, _, task = key.partition("/")
    row = next(row for row in baseline.rows if (row.attack, row.task) == (attack, task))
    return Outcome(
        success=torch.tensor(baseline.success[f"{key}/1"]),
        accuracy=row.attacker,
        chance=row.chance,
        ssim=None if row.ssim is None else torch.tensor([row.ssim]),
        psnr=None,
        mse=None,
        pictures=None,
    )
