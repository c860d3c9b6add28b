"""One of the processes that attack side by side: it opens the bundle itself and maps the tensors that all share.

It ends when the process that started it does, however that ended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ..attacks.base import Budget
from ..bundle import Bundle
from ..partition.split import load_split
from .attacking import Setting
from .features import mapped
from .jobs import Job
from .judge import judge_of
from .outcome_cache import OutcomeCache
from .running import Shared, carry_out, goal_of, method_of, victims_of
from .settings import EvaluateSettings
from .step_seconds import time_steps
from .tasks import Task
from .victim import Victim

#: of a Setting: what all share, by the names of their files
TENSORS = ("attacker", "test", "photos", "labels")
#: seconds between two looks at whether the starting process is still there
_LOOK = 0.5
_opened: dict[Place, _Opened] = {}


@dataclass(frozen=True)
class Place:
    """Where a worker finds what it needs. It pickles.

    Attributes:
        root: the bundle's folder.
        folder: holds tensors as NAME.npy, features as `features_name` says and, in `progress`, shares done.
        cache: finished attacks go there.
        threads: of each worker.
    """

    root: Path
    folder: Path
    cache: Path
    threads: int


@dataclass(frozen=True)
class Commission:
    """One attack for a worker. It pickles.

    Attributes:
        job: what to do.
        key: what its outcome is kept by.
        draws: attacks on each test image.
        number: of its entry in `progress`.
        shared: what an earlier attack left for it.
    """

    job: Job
    key: Mapping[str, object]
    draws: int
    number: int
    shared: Shared


@dataclass(frozen=True)
class Chosen:
    """What the user chose, and what followed from it. It pickles."""

    settings: EvaluateSettings
    tasks: tuple[Task, ...]
    budget: Budget


@dataclass(frozen=True)
class _Opened:
    setting: Setting
    victims: dict[str, Victim]
    protected: Victim
    mapped: set[str] = field(default_factory=set)


def watch(parent: int, folder: Path) -> None:
    """End this process when its parent is another one than that, and only then; nobody else removes `folder`, then."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=look, daemon=True).start()
    # torch.fx draws bars, whose lock between processes would outlive one that is killed: Python would tell of it
    with contextlib.suppress(ImportError):
        from tqdm import tqdm  # type: ignore[import-untyped]

        tqdm.set_lock(threading.RLock())


def steps(place: Place, chosen: Chosen) -> dict[str, float]:
    """Seconds of what attacks consist of, here and now."""
    opened = _open(place, chosen)
    return time_steps(opened.setting, opened.protected)


def attack(place: Place, chosen: Chosen, given: Commission) -> Shared:
    """Carry an attack out; its outcome goes into the cache.

    Returns:
        What it leaves for others, beside what it was given.
    """
    opened, shared = _open(place, chosen), dict(given.shared)
    victim = _with_features(place, opened, given.job.who)
    setting, landmarks = opened.setting, place.folder / "landmarks.npy"
    if landmarks.is_file():
        setting = replace(setting, known_landmarks=mapped(landmarks))
    shares = np.memmap(place.folder / "progress", dtype=np.float64, mode="r+")

    def progress(done: int, total: int, text: str) -> None:
        # an attack that trains several networks one after the other begins anew; the bar does not go back
        shares[given.number] = max(shares[given.number], done / max(total, 1))

    OutcomeCache(place.cache).get(
        given.key,
        lambda: carry_out(
            given.job, victim, setting, goal_of(given.job, chosen.tasks), given.draws, shared, progress
        ),
    )  # fmt: skip
    return {name: made for name, made in shared.items() if name not in given.shared}


def features_name(victim: int, images: str) -> str:
    """How the files of a victim's features are called, but for the tensor's number: the victim by its place."""
    return f"features-{victim}-{images}"


def _with_features(place: Place, opened: _Opened, who: str) -> Victim:
    victim = opened.victims[who]
    if who not in opened.mapped:
        opened.mapped.add(who)
        for name, images in (("attacker", opened.setting.attacker), ("test", opened.setting.test)):
            victim.features.map(images, place.folder, features_name(list(opened.victims).index(who), name))
    return victim


def _open(place: Place, chosen: Chosen) -> _Opened:
    if place not in _opened:
        torch.set_num_threads(place.threads)
        bundle = Bundle.open(place.root)
        halves = load_split(bundle)
        how = bundle.manifest.preprocess
        attacker, test, photos, labels = (mapped(place.folder / f"{name}.npy") for name in TENSORS)
        judge = judge_of(halves.head, halves.tail, how, halves.task)
        setting = Setting(attacker, test, photos, labels, judge, how, chosen.settings.seed, chosen.budget)
        victims = victims_of(bundle, chosen.settings, halves)
        _opened[place] = _Opened(setting, victims, victims[method_of(bundle)])
    return _opened[place]
