"""The benchmark: one protocol for every protection method, ours and others', with a version number.

A cell is a network, a cut, a method and a seed; its file holds the figures and everything that is needed to compute
them again. Tables are made from such files, whoever made them, as long as their protocol has the same version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..attacks.base import Budget
from ..errors import InputError
from ..protect.settings import Train
from ..records.bundle import Preprocess

if TYPE_CHECKING:
    from .cells import CellResult
    from .sweep import SweepConfig

#: raised whenever a figure could come out otherwise: attackers, judge, budgets, measures
PROTOCOL = 2
#: the user's accuracy that every method is brought to on the validation photos: PA of at least 0.99
MAX_ACCURACY_DROP = 0.01
LOOKS = 10
BUDGETS = {
    "quick": Budget(steps=120, rounds=1, rates=(3e-3,), width=32),
    "standard": Budget(steps=800, rounds=2, rates=(1e-3, 3e-3), width=64),
}
_PHOTOS = {"quick": (1000, 300), "standard": (1_000_000, 1000)}
_PICTURES = ("residual_decoder", "adversarial_decoder", "prior_decoder", "rmle")


@dataclass(frozen=True)
class Entry:
    """What is entered: a network with its data, and methods.

    Attributes:
        network: as `pripro partition` takes it: a name, package.module:factory, or a .pt2 file.
        weights: its trained weights.
        cuts: names of cut points.
        preprocess: from a photo to its input.
        data: the data set, such as folder:DIR.
        methods: names of this project's methods, or module:Class of a Protection in a file of yours.
        attributes: what the attacker wants to know beside the photo.
        seeds: each is a cell of its own.
        effort: quick (a try) or standard (what a table holds).
        epochs: of training that every method gets.
        train: what is trained with every method: the injector alone, a waist around it, or head and tail too.
        anyway: go on where the network is right by chance only.
    """

    network: str
    weights: str | None
    cuts: tuple[str, ...]
    preprocess: Preprocess
    data: str
    methods: tuple[str, ...]
    attributes: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    effort: str = "standard"
    epochs: int = 16
    train: Train = "injector"
    anyway: bool = False


def sweep_of(entry: Entry) -> SweepConfig:
    """The entry as a sweep under the fixed protocol.

    Raises:
        InputError: an unknown effort.
    """
    from .sweep import SweepConfig

    if entry.effort not in BUDGETS:
        raise InputError(f"There is no effort {entry.effort!r} of the benchmark; choose one of: {', '.join(BUDGETS)}.")
    attacker, test = _PHOTOS[entry.effort]
    pictures = _PICTURES if entry.effort == "standard" else _PICTURES[:1]
    answers = ("attribute", "attribute_large") if entry.effort == "standard" else ("attribute",)
    attacks: list[dict[str, object]] = [
        *[dict[str, object](name=name) for name in pictures],
        *({"name": name, "tasks": entry.attributes} for name in (*answers, "message_length")),
        {"name": "averaging", "observations": (LOOKS,)},
        {"name": "averaging", "tasks": entry.attributes, "observations": (LOOKS,)},
    ]
    return SweepConfig(
        data=entry.data,
        methods=list(entry.methods),
        seeds=entry.seeds,
        train=entry.train,
        epochs=entry.epochs,
        draws=1,
        max_accuracy_drop=MAX_ACCURACY_DROP,
        attacker_images=attacker,
        test_images=test,
        budget=BUDGETS[entry.effort],
        anyway=entry.anyway,
        protocol=PROTOCOL,
        network=[
            {
                "name": entry.network, "source": entry.network, "weights": entry.weights, "cuts": list(entry.cuts),
                "preprocess": entry.preprocess.model_dump(),
            }
        ],
        attack=attacks,
    )  # fmt: skip


def read_results(folders: Iterable[Path]) -> list[CellResult]:
    """Every finished cell in these folders, of this protocol.

    Raises:
        InputError: no folder, no cell, or cells of another protocol.
    """
    from pydantic import ValidationError

    from .cells import CellResult

    found: list[CellResult] = []
    for folder in dict.fromkeys(each.resolve() for each in folders):
        paths = sorted((folder / "cells").glob("*.json"))
        if not paths:
            raise InputError(f"{folder} holds no finished cell; give the folder that pripro bench wrote to.")
        for path in paths:
            try:
                result = CellResult.model_validate_json(path.read_bytes())
            except (ValidationError, ValueError):
                raise InputError(f"{path} is no cell of this pripro's benchmark; run it again there.") from None
            if result.cell.protocol != PROTOCOL:
                raise InputError(
                    f"{path} follows protocol {result.cell.protocol}, this pripro {PROTOCOL}; figures of two protocols "
                    "do not stand in one table."
                )
            found.append(result)
    return found


def table(results: Sequence[CellResult]) -> list[dict[str, object]]:
    """One row per cell: the user's side, the message, and the strongest attacker for pictures and for attributes."""
    from .scoring import headline

    rows = []
    for result in results:
        cell, first = result.cell, result.rows[0]
        pictures = [row for row in result.rows if row.task == "reconstruction"]
        lowest, picture = headline(result.rows), headline(pictures)
        attribute = headline(row for row in result.rows if row.task != "reconstruction")
        likeness = [row.ssim for row in pictures if row.ssim is not None]
        rows.append(
            {
                "network": cell.network.name, "cut": cell.cut, "method": cell.method, "train": cell.train,
                "seed": cell.seed, "effort": _effort(cell.budget),
                "PA": first.pa, "PA_met": result.met, "bytes": result.message_bytes,
                "PI": None if lowest is None else lowest.pi,
                "PI_interval": None if lowest is None else lowest.interval,
                "strongest": None if lowest is None else f"{lowest.attack}, {lowest.measure}",
                "PI_picture": None if picture is None else picture.pi,
                "PI_attribute": None if attribute is None else attribute.pi,
                "SSIM": max(likeness, default=None),
            }
        )  # fmt: skip
    return sorted(
        rows, key=lambda row: json.dumps([row[name] for name in ("network", "cut", "train", "method", "seed")])
    )


def _effort(budget: Budget) -> str:
    return next((name for name, known in BUDGETS.items() if known == budget), "other")
