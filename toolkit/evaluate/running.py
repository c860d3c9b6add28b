"""An evaluation under way: the bundle's parts, the data, the judge, and where finished attacks are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypedDict

import torch
from torch import nn

from ..attacks.base import Training
from ..bundle import Bundle
from ..datasets._chance import refuse_chance
from ..datasets._data import DataSplits, Part
from ..datasets._recorded import recorded_data
from ..errors import InputError
from ..inference import in_batches
from ..partition.split import Split, load_split
from ..protect.protected import features_of, load_protected
from ..protections.base import Protection
from ..protections.none import NoProtection
from ..records.wire import wire_spec
from ..tasks._truth import kept_answers, truth_for
from ..tasks.classify import Classify
from .attacking import Setting, attack_class, attack_victim, build_attack
from .attributes import attribute_task, check_attribute
from .jobs import Base, Job
from .judge import judge_of
from .lengths import length_of
from .metrics.interval import ratio_interval
from .noise import NoiseName, source_of
from .outcome import Outcome
from .outcome_cache import OutcomeCache
from .settings import EvaluateSettings
from .tasks import LINKING, Task
from .units import to_unit
from .victim import UserSide, Victim

Progress = Callable[[float, str], None]
Shared = dict[str, tuple[nn.Module, Training]]
#: name of the network as it was, among a bundle's victims
UNPROTECTED = "unprotected"
#: bytes of attacker photos that are held in memory
_MOST_BYTES = 2 << 30


@dataclass
class Run:
    """What every step of an evaluation needs. `cost`: a job's expected seconds, which the progress bar counts by."""

    bundle: Bundle
    settings: EvaluateSettings
    split: Split
    data: DataSplits
    attacker: Part
    test: Part
    setting: Setting
    tasks: list[Task]
    labelled: bool
    cache: OutcomeCache
    progress: Progress
    cost: Callable[[Job], float] = lambda job: 1.0
    total: float = 1.0
    done: float = 0.0
    shared: dict[Base, Shared] = field(default_factory=dict)

    @cached_property
    def victims(self) -> dict[str, Victim]:
        """The network as it was, and the bundle as an attacker meets it, by name."""
        return victims_of(self.bundle, self.settings, self.split)

    @property
    def by_labels(self) -> bool:
        """Whether labels say what a photo shows; else the unprotected network's answer to the real photo does."""
        return self.labelled and isinstance(self.split.task, Classify)

    @property
    def unprotected(self) -> Victim:
        """The network as it was."""
        return self.victims[UNPROTECTED]

    def attack(self, job: Job, victim: Victim | None = None) -> Outcome:
        """Attack, or read the finished attack.

        Args:
            job: what to do.
            victim: whom, if that is none of `victims`.
        """
        key = self.key(job)
        found = self.cache.find(key)
        if found is not None:
            return found
        work = self.cost(job)

        def steps(done: int, total: int, line: str) -> None:
            self.show(work * done / max(total, 1), f"{job.text}: {line}")

        chosen = self.victims[job.who] if victim is None else victim
        shared = {} if job.base is None else self.shared.setdefault(job.base, {})
        outcome = self.cache.get(
            key,
            lambda: carry_out(
                job, chosen, self.setting, goal_of(job, self.tasks), self.draws(job.looks), shared, steps
            ),
        )  # fmt: skip
        self.done += work
        self.show(0.0, job.text)
        return outcome

    def key(self, job: Job) -> dict[str, object]:
        """All that a job's outcome depends on: what the cache knows it by."""
        task, chosen = goal_of(job, self.tasks), self.settings
        manifest = self.bundle.manifest
        # the network as it was stays the same under another protection, so what was found of it still holds
        bare = job.who == UNPROTECTED
        known, wire = (manifest.unprotected_id(), None) if bare else (manifest.bundle_id, chosen.wire)
        return {
            "bundle": known, "victim": job.who, "attack": job.attack, "data": self.data_key,
            "task": None if task is None else task.name, "truth": None if task is None else task.digest,
            "looks": job.looks, "draws": self.draws(job.looks), "budget": self.setting.budget, "photos": job.photos,
            "attacker_images": len(self.setting.attacker), "test_images": len(self.setting.test),
            "seed": chosen.seed, "wire": wire, "by_labels": self.by_labels,
        }  # fmt: skip

    def show(self, under_way: float, text: str) -> None:
        """Move the progress bar: what is done, and so many seconds of what is under way."""
        self.progress(min((self.done + under_way) / self.total, 1.0), text)

    def draws(self, looks: int) -> int:
        """Attacks on each test image."""
        return self.settings.tried.draws if looks == 1 else 1

    @property
    def data_key(self) -> str:
        """The data by its content where that is known, else by its name."""
        return self.data.ref.digest if self.data.ref is not None else data_name(self.bundle, self.settings)


def goal_of(job: Job, tasks: Sequence[Task]) -> Task | None:
    """What a job is after; None: the photo."""
    return None if job.task is None else next(task for task in (*tasks, LINKING) if task.name == job.task)


def carry_out(
    job: Job,
    victim: Victim,
    setting: Setting,
    task: Task | None,
    draws: int,
    shared: Shared,
    progress: Callable[[int, int, str], None],
) -> Outcome:
    """Attack a victim as a job says; what one training leaves for others is read from `shared`, and left there."""
    if job.photos is not None:
        setting = setting.first(job.photos)
        if task is not None and task is not LINKING:
            task = replace(task, train=task.train[: job.photos])
    attack = build_attack(job.attack)
    return attack_victim(
        attack, victim, setting, task=task, looks=job.looks, draws=draws, shared=shared, progress=progress
    )


def _data(bundle: Bundle, settings: EvaluateSettings) -> DataSplits:
    """The data set that was named, or the photos that the bundle was protected with, known by their content."""
    found = recorded_data(bundle.manifest, settings.data)
    if found is None:
        raise InputError("The bundle was protected without data; name some with --data, such as --data folder:DIR.")
    return found


def prepare(bundle: Bundle, settings: EvaluateSettings, progress: Progress) -> Run:
    """Check everything that a user chose, then open what is needed.

    Raises:
        InputError: settings that do not fit.
        BundleError: the bundle is not protected yet.
    """
    for name in settings.names:
        build_attack(name)
    load_protected(bundle)  # says at once if there is nothing to evaluate
    how, effort = bundle.manifest.preprocess, settings.tried
    data = _data(bundle, settings)
    for spec in settings.attributes:
        check_attribute(spec, data.attributes)
    most = min(settings.attacker_images or effort.attacker_images or len(data.attacker_train), _room(bundle))
    attacker = data.attacker_train.first(most)
    test = data.test.first(settings.test_images or effort.test_images)
    split = load_split(bundle)
    images = test.images
    labelled = not ((attacker.labels < 0).any() or (test.labels < 0).any())
    if not labelled:
        if "label" in settings.attributes:
            raise InputError(
                f"{data_name(bundle, settings)} has photos without a label, so no attacker can be asked for it; "
                "leave out --attribute label, or label every photo."
            )
        attacker, test = (_by_answers(part, split) for part in (attacker, test))
    elif settings.data is not None and isinstance(split.task, Classify):  # the recorded set was looked at by protect
        answers = in_batches(split.tail, in_batches(split.head, images)).argmax(1)
        record = bundle.manifest.protection
        known = None if record is None or record.accuracy is None else record.accuracy.unprotected
        refuse_chance(answers, test.labels, settings.data, known, escape="")
    setting = Setting(
        attacker=attacker.images,
        test=images,
        photos=to_unit(images, how),
        labels=test.labels,
        judge=judge_of(split.head, split.tail, how, split.task),
        preprocess=how,
        seed=settings.seed,
        budget=effort.budget,
        device=device_of(settings.device),
    )
    units = to_unit(setting.attacker, how), setting.photos
    specs = settings.attributes or (("slant" if data_name(bundle, settings) == "digits" else "brightness"),)
    tasks = [attribute_task(spec, data, units) for spec in specs]
    cache = OutcomeCache(bundle.root / "reports" / ".evaluate-cache", keep=bundle.can_report())
    return Run(bundle, settings, split, data, attacker, test, setting, tasks, labelled, cache, progress)


def _by_answers(part: Part, split: Split) -> Part:
    """Photos without labels: of what class the unprotected network calls them, or of one class where it names none."""
    labels = torch.zeros(len(part), dtype=torch.int64)
    if isinstance(split.task, Classify):
        (labels,) = kept_answers(split.task, lambda some: split.tail(split.head(some)), part.photos)
    return Part(part.photos, labels, part.attributes)


def victims_of(bundle: Bundle, settings: EvaluateSettings, halves: Split) -> dict[str, Victim]:
    """Both victims of a bundle by name; `halves` is its split without protection."""
    bare = NoProtection(features_of(halves.cut.shape))
    return {
        UNPROTECTED: Victim(halves.head, halves.tail, bare, **tokens_of(bundle)),
        method_of(bundle): protected_victim(bundle, settings),
    }


def protected_victim(bundle: Bundle, settings: EvaluateSettings) -> Victim:
    """The bundle as an attacker meets it."""
    found = load_protected(bundle)
    record = bundle.manifest.protection
    codes = None if settings.wire == "float32" or record is None else wire_spec(record.wire_uint8[0])
    coding = record.waist.coding if record is not None and record.waist is not None else None
    # behind a waist, what crosses is rounded to whole numbers
    sender: Protection = getattr(found, "sender", found.protection)
    return Victim(
        found.split.head,
        found.split.tail,
        sender,
        codes if coding is None else None,
        noise=source_of(noise_of(bundle)),
        length=None if coding is None else length_of(coding),
        soft=found.protection,
        **tokens_of(bundle),
    )


def noise_of(bundle: Bundle) -> NoiseName:
    """How the bundle's phones draw their noise."""
    record = bundle.manifest.protection
    return "fresh" if record is None else record.noise


def method_of(bundle: Bundle) -> str:
    """The bundle's protection method."""
    record = bundle.manifest.protection
    return record.method if record is not None else "none"


class _Tokens(TypedDict):
    grid: tuple[int, int] | None
    prefix_tokens: int


def tokens_of(bundle: Bundle) -> _Tokens:
    """Where the tokens that cross lie on the image, as `Victim` takes it."""
    spec = bundle.manifest.split.crossing[0]
    return {"grid": None if spec.grid is None else (spec.grid[0], spec.grid[1]), "prefix_tokens": spec.prefix_tokens}


def user_side(run: Run, victim: Victim) -> UserSide:
    """What the protection costs the user, on the test images.

    Raises:
        InputError: the network is never right.
    """
    halves, test = run.split, run.setting.test
    labels = run.setting.labels if run.labelled else None
    truth = truth_for(halves.task, lambda part: halves.tail(halves.head(part)), test, labels)
    before = truth.unprotected.mean().item()
    if before <= 0:
        raise InputError("The network is never right on the test images; give the data that it was trained for.")
    found = victim.user_side(test, truth, before, 5, run.settings.seed)
    return replace(found, pa_interval=ratio_interval(truth.unprotected, found.per_input))


def data_name(bundle: Bundle, settings: EvaluateSettings) -> str:
    """The data set that was chosen, or that the bundle was protected with.

    Raises:
        InputError: neither.
    """
    record = bundle.manifest.protection
    name = settings.data or (record.data.spec if record is not None and record.data is not None else None)
    if name is None:
        raise InputError("The bundle was protected without data; name some with --data, such as --data folder:DIR.")
    return name


def device_of(name: str) -> torch.device:
    """Where attackers are trained.

    Raises:
        InputError: there is no such device here.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("There is no CUDA device here; leave out --device, or give --device cpu.")
    if name == "cpu" or not there:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # of several processes, each has its own


def looks_of(name: str, settings: EvaluateSettings) -> tuple[int, ...]:
    """How many messages of each photo an attack sees: one row of the report each."""
    sees = attack_class(name).sees
    return settings.observations if sees == "again" else (settings.variants,) if sees == "variants" else (1,)


def goals_of(name: str, tasks: list[Task]) -> list[Task | None]:
    """What an attack is after: the photo (None) and each task that it can be asked for."""
    yields = attack_class(name).yields
    if "links" in yields:
        return [LINKING]
    found: list[Task | None] = [None] if "images" in yields else []
    return [*found, *tasks] if "attribute" in yields else found


def _room(bundle: Bundle) -> int:
    how = bundle.manifest.preprocess
    return max(_MOST_BYTES // (4 * how.channels * how.height * how.width), 20)
