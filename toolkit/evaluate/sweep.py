"""Method x network x cut x strength x seed, under every attack: resumable, parallel, here or on a Ray cluster.

A finished cell is a JSON file named by a hash over everything its figures depend on; it is never computed again.
"""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from ..attacks.base import Budget
from ..bundle import sha256_of, write_atomically
from ..errors import InputError, MissingExtraError
from ..protect.settings import Train
from ..records.bundle import Record
from ..records.settings import Seed
from .ranks import Ranks, ranks

if TYPE_CHECKING:
    from .cells import Cell, CellResult

#: raise it when the same description no longer gives the same figures
CELL_VERSION = 3
_UNPROTECTED: dict[str, object] = {
    "method": "none", "strength": None, "options": {}, "epochs": 0, "method_sha256": "", "train": "injector",
}  # fmt: skip


class SweepConfig(Record):
    """sweep.toml. Cells run in the order: seeds, networks, methods, cuts; all of the first seed come first."""

    data: str
    methods: list[str]
    seeds: tuple[Seed, ...] = (0,)
    #: method -> seeds that it alone is repeated with, to show how far figures scatter
    more_seeds: dict[str, tuple[Seed, ...]] = Field(default_factory=dict)
    #: numbers, or empty for the largest strength that keeps the accuracy
    strengths: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = ()
    #: injector, waist or all: the same freedom for every method
    train: Train = "injector"
    epochs: Annotated[int, Field(ge=1)] = 15
    draws: Annotated[int, Field(ge=1)] = 4
    max_accuracy_drop: float = Field(default=0.01, ge=0, lt=1)
    attacker_images: Annotated[int, Field(ge=20)] = 1000
    test_images: Annotated[int, Field(ge=20)] = 1000
    #: how hard attackers try
    budget: Budget = Budget()
    #: go on where a network is right by chance only
    anyway: bool = False
    #: of the benchmark; 0: a sweep of one's own
    protocol: int = 0
    network: list[dict[str, Any]]
    attack: list[dict[str, Any]]
    #: method -> its options; "epochs" among them stands for that method's own
    options: dict[str, dict[str, float]] = Field(default_factory=dict)


def read_config(path: Path) -> SweepConfig:
    """Read and check sweep.toml.

    Raises:
        InputError: missing, not TOML, an unknown key or a value that does not fit.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return SweepConfig.model_validate(raw, strict=False)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a sweep.toml.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error}); correct it there.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} does not fit: {place}: {first['msg']}; correct it there.") from None


def list_cells(config: SweepConfig) -> list[Cell]:
    """Every cell that a sweep asks for, each network's unprotected ones first.

    Raises:
        InputError: a part of the configuration that does not fit.
        UnknownNameError: no such method.
    """
    from ..plugins import source_digest
    from ..protect.protected import protection_class
    from .attacking import build_attack
    from .cells import AttackPlan, Cell, NetworkPlan

    try:
        networks = [NetworkPlan.model_validate(raw, strict=False) for raw in config.network]
        attacks = [AttackPlan.model_validate(raw, strict=False) for raw in config.attack]
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"A network or attack of the sweep does not fit: {first['loc']}: {first['msg']}.") from None
    methods = list(dict.fromkeys(["none", *config.methods]))
    chosen = {method: dict(config.options.get(method, {})) for method in methods}
    own = {method: chosen[method].pop("epochs", config.epochs) for method in methods}
    for method, count in own.items():
        if not 1 <= count < math.inf:
            raise InputError(f"The option epochs of {method} cannot be {count:g}; give a whole number of at least 1.")
    epochs = {method: int(count) for method, count in own.items()} | {"none": 0}
    for method in methods:
        protection_class(method).settings(chosen[method])
    for plan in attacks:
        build_attack(plan.name, plan.options)
    for method in config.more_seeds:
        if method not in methods:
            raise InputError(f"more_seeds names {method!r}, which is not among the sweep's methods; add it there.")
    hashes = {plan.name: _weights_hash(plan.weights) for plan in networks}
    if len(hashes) < len(networks):
        raise InputError("Two networks of the sweep have one name, and their figures would mix; name them apart.")
    cells = [
        Cell(
            network=plan.model_copy(update={"cuts": []}),
            weights_sha256=hashes[plan.name],
            cut=cut,
            method=method,
            options=chosen[method],
            train="injector" if method == "none" else config.train,
            strength=strength if method != "none" else None,
            seed=seed,
            data=config.data,
            attacks=attacks,
            epochs=epochs[method],
            draws=config.draws,
            max_accuracy_drop=config.max_accuracy_drop,
            attacker_images=config.attacker_images,
            test_images=config.test_images,
            budget=config.budget,
            protocol=config.protocol,
            method_sha256=source_digest(method),
        )
        for seed, repeated in _seeds(config, methods).items()
        for method in repeated
        for plan in networks
        for cut in dict.fromkeys(plan.cuts)
        for strength in (dict.fromkeys(config.strengths) if method != "none" and config.strengths else (None,))
    ]
    if not cells:
        raise InputError("There is nothing to run; name at least one network with a cut, and one seed.")
    return cells


def _seeds(config: SweepConfig, methods: list[str]) -> dict[int, list[str]]:
    """Seed -> the methods that run with it, in their order; "none" with every seed, as what PI is measured against."""
    every = [*config.seeds, *(seed for more in config.more_seeds.values() for seed in more)]
    return {
        seed: [
            method
            for method in methods
            if method == "none" or seed in config.seeds or seed in config.more_seeds.get(method, ())
        ]
        for seed in dict.fromkeys(every)
    }


def cell_path(folder: Path, cell: Cell) -> Path:
    """Where a cell's result is or will be."""
    # left out at its default, so that files from before this setting existed are still found
    known = {"train"} if cell.train == "injector" else None
    text = f"{CELL_VERSION} {cell.model_dump_json(exclude=known)}"
    return folder / "cells" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def finish_cell(folder: Path, cell: Cell, *, anyway: bool = False) -> CellResult:
    """Return a cell's result, from its file if it is there; its unprotected counterpart is finished first.

    Raises:
        InputError: the network is right by chance only, and it is not to go on `anyway`.
    """
    import torch

    from .cells import run_cell

    path = cell_path(folder, cell)
    if path.is_file():
        return _read_cell(path)
    # one thread per cell: cells run side by side, and figures then do not depend on how many do
    torch.set_num_threads(1)
    baseline = None
    if cell.method != "none":
        baseline = finish_cell(
            folder,
            cell.model_copy(update=_UNPROTECTED),
            anyway=anyway,
        )
    result = run_cell(cell, baseline, anyway=anyway)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, result.model_dump_json().encode())
    return result


def run_sweep(
    config: SweepConfig,
    folder: Path,
    *,
    jobs: int = 1,
    ray: str | None = None,
    among: Ranks | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> list[CellResult]:
    """Finish every cell, `jobs` at a time here, or on the Ray cluster at `ray` ("local" starts one).

    On a cluster, and of several processes, `folder` must be one that all share. Each of several processes finishes its
    own cells, waits for those of the others, and returns them all.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    from joblib import Parallel, delayed, parallel_config

    cells = list_cells(config)
    folder, among = folder.resolve(), among or ranks()
    baselines = [cell for cell in cells if cell.method == "none"]
    done = 0
    if ray is not None:
        _start_ray(ray)
    with parallel_config(backend="ray" if ray is not None else "loky", n_jobs=jobs):
        # the unprotected cells first, so that no two workers compute the same one
        for part in (baselines, [cell for cell in cells if cell.method != "none"]):
            # Ray's backend hands its results over at the end only
            workers = Parallel(return_as="generator" if ray is None else "list")
            own = among.own(part)
            found = workers(delayed(finish_cell)(folder, cell, anyway=config.anyway) for cell in own)
            for cell, _ in zip(own, found, strict=True):
                done += 1
                progress(done, len(cells), f"{cell.network.name} {cell.cut} {cell.method} seed {cell.seed}")
            paths = [cell_path(folder, cell) for cell in part]
            among.wait(
                lambda paths=paths: sum(not path.is_file() for path in paths),  # type: ignore[misc]
                lambda left, done=done: progress(done, len(cells), f"{left} cells of other processes"),  # type: ignore[misc]
            )
    return [_read_cell(cell_path(folder, cell)) for cell in cells]


def finished(config: SweepConfig, folder: Path) -> list[CellResult]:
    """The cells that are there by now; a sweep can be looked at while it runs."""
    paths = [cell_path(folder, cell) for cell in list_cells(config)]
    return [_read_cell(path) for path in paths if path.is_file()]


def _read_cell(path: Path) -> CellResult:
    from .cells import CellResult

    try:
        return CellResult.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(
            f"{path} is not a finished cell (it was damaged or edited); remove it and sweep again."
        ) from None


def as_rows(results: list[CellResult]) -> list[dict[str, object]]:
    """One flat row per attack, under the names of the published table."""
    return [
        {
            "network": result.cell.network.name,
            "user_task": result.cell.network.user_task,
            "cut": result.cell.cut,
            "method": row.method,
            "attack": row.attack,
            "task": row.task,
            "observations": row.observations,
            "PA": row.pa,
            "PA_met": result.met,
            "PI_mean": row.pi,
            "PI_worst5": row.pi_worst5,
            "SSIM": row.ssim,
            "recognised": row.recognised,
            "attacker": row.attacker,
            "attacker_unprotected": row.attacker_unprotected,
            "chance": row.chance,
            "strength": row.strength,
            "seed": row.seed,
        }
        for result in results
        for row in result.rows
    ]


def _weights_hash(path: str | None) -> str:
    if path is None:
        return ""
    if not Path(path).is_file():
        raise InputError(f"There is no weights file {path}, which the sweep names; train it first or correct the path.")
    return sha256_of(Path(path))


def _start_ray(address: str) -> None:
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its maker
        import ray
        from ray.util.joblib import register_ray
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "cluster", "A sweep on a Ray cluster") from None
    if not ray.is_initialized():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    register_ray()
