"""One cell of a sweep: a network, a cut, a method, a strength and a seed, under every attack.

A cell is a pure function of its description: it runs the same on this machine, in a joblib worker or on a Ray node.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..attacks.base import Budget, Training
from ..datasets._chance import refuse_chance
from ..datasets._data import DataSplits, load_data
from ..inference import accuracy, in_batches
from ..partition.network import load_network
from ..partition.split import Split, split
from ..protect.fitting import Fitted, Fitting, fit_and_calibrate
from ..protect.settings import Train
from ..protect.waist.modules import Coded
from ..protect.waist.tables import coding_of
from ..records.bundle import Preprocess, Record
from ..records.machine import Device, this_host
from ..records.privacy import PrivacyRow
from ..records.tools import tool_versions
from .attacking import Setting, attack_class, attack_victim, build_attack
from .attributes import attribute_task
from .judge import judge_of
from .lengths import length_of
from .outcome import Outcome
from .scoring import score, strongest
from .tasks import Task
from .units import to_unit
from .victim import Victim

_ANYWAY = ", or go on with --anyway (anyway = true in a sweep.toml)"


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
    observations: tuple[Annotated[int, Field(ge=1)], ...] = (1,)
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
    #: what every method is trained with: itself alone, a waist around it, or head and tail too
    train: Train = "injector"
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
    budget: Budget = Budget()
    #: of the benchmark; 0: a sweep of one's own
    protocol: int = 0
    #: of the file that a foreign method comes from; empty for this project's own
    method_sha256: str = ""


class CellResult(Record):
    """What a finished cell leaves behind. `success` is what the others' PI is measured against."""

    cell: Cell
    rows: list[PrivacyRow]
    met: bool
    #: mean over the test photos
    message_bytes: float
    device: Device
    tools: dict[str, str]
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


def run_cell(cell: Cell, baseline: CellResult | None, *, anyway: bool = False) -> CellResult:
    """Fit, calibrate and attack.

    Args:
        cell: what to do.
        baseline: the finished cell of the same network, cut and seed without protection; None for that one itself.
        anyway: go on where the network is right by chance only.

    Raises:
        InputError: it is, and not to go on.
    """
    started = time.monotonic()
    how = cell.network.preprocess
    data, halves = _data(cell.data, how.model_dump_json()), _split(cell.network.model_dump_json(), cell.cut)
    if baseline is None and not anyway:
        judged = data.test.first(cell.test_images)
        answers = halves.tail(in_batches(halves.head, judged.images)).argmax(1)
        refuse_chance(answers, _user(cell, judged.labels), cell.data, escape=_ANYWAY)
    victim, met = protected_victim(cell, halves, data)
    test, attacker = data.test.first(cell.test_images), data.attacker_train.first(cell.attacker_images)
    setting = Setting(
        attacker=attacker.images,
        test=test.images,
        photos=to_unit(test.images, how),
        labels=_user(cell, test.labels),
        judge=judge_of(halves.head, halves.tail, how),
        preprocess=how,
        seed=cell.seed,
        budget=cell.budget,
    )
    unprotected = accuracy(halves.tail, in_batches(halves.head, test.images), setting.labels)
    user = victim.user_side(test.images, setting.labels, unprotected, max(cell.draws, 4), cell.seed)
    rows: list[PrivacyRow] = []
    success: dict[str, list[float]] = {}
    shared: dict[str, tuple[nn.Module, Training]] = {}
    for plan in cell.attacks:
        if plan.methods and cell.method not in (*plan.methods, "none"):
            continue
        kind = attack_class(plan.name)
        if baseline is None and kind.sees != "one":
            continue  # what more looks at unprotected messages give is not what PI is measured against
        for name in plan.tasks or ("reconstruction",):
            task = None if name == "reconstruction" else _task(name, data, setting)
            for looks in plan.observations:
                draws = cell.draws if looks == 1 else 1
                after = attack_victim(
                    build_attack(plan.name, plan.options), victim, setting,
                    task=task, looks=looks, draws=draws, shared=shared,
                )  # fmt: skip
                success.update(_kept(f"{plan.name}/{name}/{looks}", after))
                before = after if baseline is None else _before(baseline, name, after)
                used = draws if victim.is_random else 1
                rows.append(
                    score(
                        cell.method, victim.protection.strength.item(), plan.name, name, looks, user, before, after,
                        draws=used, seed=cell.seed,
                    )
                )  # fmt: skip
    return CellResult(
        cell=cell,
        rows=rows,
        met=met,
        message_bytes=user.message_bytes.float().mean().item(),
        device=this_host(),
        tools=tool_versions("torch", "scikit-image", "pripro-toolkit"),
        statistics=victim.protection.statistics(victim.smashed(setting.test)[0]),
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
        train="injector" if cell.method == "none" else cell.train,
    )
    fitted = fit_and_calibrate(halves, data, wanted)
    if cell.strength is not None:
        fitted.protection.set_strength(cell.strength)
    met = fitted.calibration is None or fitted.calibration.met
    return _victim(fitted, data, cell.seed), met


def _victim(fitted: Fitted, data: DataSplits, seed: int) -> Victim:
    """What crosses, as an attacker sees it: behind a waist rounded codes, coded with tables of victim-train."""
    head, tail, protection = fitted.head, fitted.split.tail, fitted.protection
    if fitted.waist is None:
        return Victim(head, tail, protection)
    coding = coding_of(head, protection, data.victim_train, seed + 1, pad=False)
    return Victim(head, tail, Coded(protection), length=length_of(coding), soft=protection)


def _user(cell: Cell, labels: Tensor) -> Tensor:
    return labels % 2 if cell.network.user_task == "parity" else labels


def _task(name: str, data: DataSplits, setting: Setting) -> Task:
    return attribute_task(name, data, (to_unit(setting.attacker, setting.preprocess), setting.photos))


def _kept(key: str, outcome: Outcome) -> dict[str, list[float]]:
    """What other cells' PI needs of an outcome, per test image, by name."""
    kept = {"success": outcome.success, "right": outcome.right, "ssim": outcome.ssim}
    if outcome.identified is not None:
        kept |= {f"identified {among}": outcome.identified[:, at] for at, among in enumerate(outcome.crowds)}
    return {
        f"{key}/{what}": [round(value, 5) for value in values.tolist()]
        for what, values in kept.items()
        if values is not None
    }


def _before(baseline: CellResult, task: str, after: Outcome) -> Outcome:
    """The strongest unprotected outcome of that task, rebuilt from the baseline's file as far as scoring needs it."""
    outcomes = []
    for row in baseline.rows:
        if row.task != task:
            continue
        key = f"{row.attack}/{task}/{row.observations}"
        there = {
            what.removeprefix(f"{key}/"): torch.tensor(values)
            for what, values in baseline.success.items()
            if what.startswith(f"{key}/")
        }
        identified = [values for what, values in there.items() if what.startswith("identified")]
        outcomes.append(
            Outcome(
                success=there["success"],
                right=there["right"],
                chance=row.chance,
                ssim=there.get("ssim"),
                identified=torch.stack(identified, 1) if identified else None,
                crowds=after.crowds,
            )
        )
    if not outcomes:
        raise ValueError(f"the unprotected cell has no attack on {task}")
    return strongest(outcomes)
