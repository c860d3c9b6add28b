"""Evaluate a bundle's privacy: attack it, and the same network without protection, and compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from cloud_tail.signature import TensorSpec

from ..bundle import Bundle, now_utc
from ..datasets._data import DataSplits, load_data
from ..errors import InputError, UnknownNameError
from ..inference import accuracy, in_batches, right
from ..partition.split import Split, load_split
from ..protect.fitting import Fitting, fit_and_calibrate
from ..protect.protected import features_of, load_protected, protection_class
from ..protections.none import NoProtection
from ..records.machine import this_host
from ..records.privacy import CurvePoint, Floor, PrivacyReport, PrivacyRow
from ..records.tools import tool_versions
from ..records.wire import HeadWire, wire_spec
from . import tasks
from .attacking import Outcome, Setting, attack_victim, build_attack, from_label_alone, to_unit, without_looking
from .judge import Judge
from .metrics.pi import pi
from .outcome_cache import OutcomeCache
from .pictures import heat_maps, picture_grid
from .scoring import score
from .tasks import Task, make_task
from .victim import UserSide, Victim

Progress = Callable[[float, str], None]
_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_CURVE_EPOCHS = 6


@dataclass(frozen=True)
class EvaluateSettings:
    """What a user chooses.

    Attributes:
        data: the data set; None = the one that the bundle was protected with.
        attacks: names.
        observations: how often the attacker sees each photo.
        task: what attribute inference is after; None = slant for digits, else brightness.
        compare: methods whose PA-PI curve stands beside the bundle's.
        draws: attacks on each test image, with fresh eps.
        attacker_images: at most so many.
        test_images: at most so many.
        seed: of everything drawn.
        wire: what crosses the network, float32 or the bundle's uint8 codes; the unprotected network sends float32.
    """

    data: str | None = None
    attacks: tuple[str, ...] = ("inverse_network", "attribute")
    observations: tuple[int, ...] = (1, 10)
    task: str | None = None
    compare: tuple[str, ...] = ("gaussian", "dropout")
    draws: int = 2
    attacker_images: int = 1000
    test_images: int = 500
    seed: int = 0
    wire: HeadWire = "float32"


@dataclass
class _Run:
    """An evaluation under way: the bundle's parts, the data, and where finished attacks are kept."""

    bundle: Bundle
    settings: EvaluateSettings
    split: Split
    data: DataSplits
    setting: Setting
    cache: OutcomeCache
    progress: Progress
    total: int
    done: int = 0
    tasks: dict[str, Task] = field(default_factory=dict)

    def attack(self, victim: Victim, who: str, name: str, task: Task | None, observations: int) -> Outcome:
        """Attack, or read the finished attack."""
        chosen = self.settings
        key = {
            "bundle": self.bundle.manifest.bundle_id, "victim": who, "attack": name,
            "data": _data_name(self.bundle, chosen),
            "task": None if task is None else task.name, "observations": observations, "draws": chosen.draws,
            "attacker_images": chosen.attacker_images, "test_images": chosen.test_images, "seed": chosen.seed,
            "wire": chosen.wire,
        }  # fmt: skip
        text = f"{who}: {name}, {'one look' if observations == 1 else f'{observations} looks'}"

        def steps(done: int, total: int, line: str) -> None:
            self.progress((self.done + done / max(total, 1)) / self.total, f"{text} {line}")

        outcome = self.cache.get(
            key,
            lambda: attack_victim(
                build_attack(name), victim, self.setting, self.bundle.manifest.preprocess,
                task=task, observations=observations, draws=chosen.draws if observations == 1 else 1, progress=steps,
            ),
        )  # fmt: skip
        self.done += 1
        self.progress(self.done / self.total, text)
        return outcome


def evaluate(
    bundle: Bundle, settings: EvaluateSettings, *, progress: Progress = lambda share, text: None
) -> PrivacyReport:
    """Attack a bundle and write the report into it.

    Finished attacks are kept in reports/.evaluate-cache: a killed evaluation goes on where it was.

    Raises:
        InputError: settings that do not fit.
        BundleError: the bundle is not protected yet.
    """
    started = time.monotonic()
    run = _prepare(bundle, settings, progress)
    protected = load_protected(bundle)
    method = _method(bundle)
    bare = Victim(run.split.head, run.split.tail, NoProtection(features_of(run.split.cut.shape)))
    victim = Victim(protected.split.head, protected.split.tail, protected.protection, _codes(bundle, settings))
    user = _user_side(run, victim)
    rows: list[PrivacyRow] = []
    pictures: dict[str, Outcome] = {}
    before_picture: Outcome | None = None
    for name in settings.attacks:
        task = None if build_attack(name).yields == "images" else _task(run)
        before = run.attack(bare, "unprotected", name, task, 1)
        for count in settings.observations if victim.is_random else (1,):
            after = run.attack(victim, method, name, task, count)
            rows.append(
                score(
                    method, victim.protection.strength.item(), name, task.name if task else "reconstruction", count,
                    user, before, after,
                    draws=settings.draws if count == 1 and victim.is_random else 1, seed=settings.seed,
                )
            )  # fmt: skip
            if task is None and (before_picture is None or before_picture is before):
                before_picture = before
                pictures[f"{method}, {'one look' if count == 1 else f'{count} looks'}"] = after
    curves = _curves(run, method, victim, bare)
    report = PrivacyReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=this_host(),
        tools=tool_versions("torch", "scikit-image"),
        data=_data_name(bundle, settings),
        seed=settings.seed,
        attacker_images=len(run.setting.attacker),
        test_images=len(run.setting.test),
        wire=settings.wire,
        judge_accuracy=_judged(run.setting),
        rows=rows,
        floors=_floors(run),
        curves=curves,
        pictures=picture_grid(run.setting, before_picture, pictures) if before_picture else [],
        heat_maps=heat_maps(victim.protection, victim.head, run.setting),
        statistics=victim.protection.statistics(victim.smashed(run.setting.test)),
        seconds=round(time.monotonic() - started, 1),
    )
    bundle.add_report(report)
    progress(1.0, "done")
    return report


def _prepare(bundle: Bundle, settings: EvaluateSettings, progress: Progress) -> _Run:
    for name in settings.attacks:
        build_attack(name)
    if settings.task is not None and settings.task not in tasks.NAMES:
        raise UnknownNameError("attacker's task", settings.task, tasks.NAMES)
    kinds = [protection_class(name) for name in settings.compare]
    protected = load_protected(bundle)  # says at once if there is nothing to evaluate
    data = load_data(_data_name(bundle, settings), bundle.manifest.preprocess, labels=bundle.manifest.labels)
    how = bundle.manifest.preprocess
    judge = Judge(how.channels, len(data.classes), settings.seed)
    looks = len(settings.observations) if protected.protection.eps_shape() is not None else 1
    points = sum(1 if kind.trains_head or kind is NoProtection else len(_STRENGTHS) for kind in kinds) + len(_STRENGTHS)
    total = 1 + len(settings.attacks) * (1 + looks) + points + 1
    judge.train(
        to_unit(data.victim_train.images, how), data.victim_train.labels,
        progress=lambda done, steps, text: progress(done / steps / total, text),
    )  # fmt: skip
    test = data.test.images[: settings.test_images]
    setting = Setting(
        attacker=data.attacker_train.images[: settings.attacker_images],
        test=test,
        photos=to_unit(test, how),
        labels=data.test.labels[: settings.test_images],
        judge=judge,
        seed=settings.seed,
    )
    cache = OutcomeCache(bundle.root / "reports" / ".evaluate-cache")
    return _Run(bundle, settings, load_split(bundle), data, setting, cache, progress, total, done=1)


def _data_name(bundle: Bundle, settings: EvaluateSettings) -> str:
    record = bundle.manifest.protection
    name = settings.data or (record.data.spec if record is not None and record.data is not None else None)
    if name is None:
        raise InputError("The bundle was protected without data; name some with --data, such as --data folder:DIR.")
    return name


def _method(bundle: Bundle) -> str:
    record = bundle.manifest.protection
    return record.method if record is not None else "none"


def _codes(bundle: Bundle, settings: EvaluateSettings) -> TensorSpec | None:
    record = bundle.manifest.protection
    return None if settings.wire == "float32" or record is None else wire_spec(record.wire_uint8[0])


def _task(run: _Run) -> Task:
    name = run.settings.task or ("slant" if _data_name(run.bundle, run.settings) == "digits" else "brightness")
    if name not in run.tasks:
        how = run.bundle.manifest.preprocess
        labels = run.data.attacker_train.labels[: len(run.setting.attacker)]
        attacker = to_unit(run.setting.attacker, how), labels
        run.tasks[name] = make_task(name, attacker, (run.setting.photos, run.setting.labels))
    return run.tasks[name]


def _user_side(run: _Run, victim: Victim) -> UserSide:
    before = accuracy(run.split.tail, in_batches(run.split.head, run.data.test.images), run.data.test.labels)
    if before <= 0:
        raise InputError("The network is never right on the test images; give the data that it was trained for.")
    return victim.user_side(run.data.test.images, run.data.test.labels, before, 5, run.settings.seed)


def _floors(run: _Run) -> list[Floor]:
    how, labels = run.bundle.manifest.preprocess, run.data.attacker_train.labels[: len(run.setting.attacker)]
    mean, known = without_looking(run.setting, how), from_label_alone(run.setting, how, labels)
    return [
        Floor(name="mean photo", ssim=_mean(mean.ssim), recognised=mean.accuracy),
        Floor(name="mean photo of the class", ssim=_mean(known.ssim), recognised=known.accuracy),
    ]


def _mean(values: Tensor | None) -> float:
    return 0.0 if values is None else values.mean().item()


def _judged(setting: Setting) -> float:
    return right(setting.judge.probabilities(setting.photos), setting.labels).mean().item()


def _curves(run: _Run, method: str, victim: Victim, bare: Victim) -> list[CurvePoint]:
    """PA against PI over the noise's strength, for the bundle's method and those it is compared with."""
    task = _task(run)
    before = run.attack(bare, "unprotected", "attribute", task, 1)
    found = _curve(run, method, victim, before, task)
    for name in run.settings.compare:
        if name != method:
            found += _curve(run, name, _fitted(run, name), before, task)
    return found


def _curve(run: _Run, name: str, victim: Victim, before: Outcome, task: Task) -> list[CurvePoint]:
    base = victim.protection.strength.item() or 1.0
    points = []
    for factor in _STRENGTHS if victim.is_random else (1.0,):
        victim.protection.set_strength(base * factor)
        who = name if factor == 1.0 and name == _method(run.bundle) else f"{name} x {factor:g}"
        after = run.attack(victim, who, "attribute", task, 1)
        user = _user_side(run, victim)
        points.append(
            CurvePoint(
                method=name,
                strength=base * factor,
                pa=user.pa,
                pi=pi(before.accuracy, after.accuracy, after.chance),
                attacker=after.accuracy,
            )
        )
    victim.protection.set_strength(base)
    return points


def _fitted(run: _Run, name: str) -> Victim:
    """Fit another method to the same network and bring it to an accuracy drop of one percent."""
    wanted = Fitting(name, epochs=_CURVE_EPOCHS, seed=run.settings.seed, max_drop=0.01, draws=2)
    fitted = fit_and_calibrate(run.split, run.data, wanted)
    return Victim(fitted.head, run.split.tail, fitted.protection)


def newest_report(bundle: Bundle) -> Path | None:
    """The privacy report that was written last, or None."""
    found = sorted((bundle.root / "reports").glob("privacy-*.json"))
    return found[-1] if found else None
