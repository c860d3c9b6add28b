"""An evaluation under way: the bundle's parts, the data, the judge, and where finished attacks are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from ..tasks._truth import truth_for
from ..tasks.classify import Classify
from .attacking import Setting, attack_class, attack_victim, build_attack
from .attributes import attribute_task, check_attribute
from .judge import judge_of
from .lengths import length_of
from .noise import NoiseName, source_of
from .outcome import Outcome
from .outcome_cache import OutcomeCache
from .settings import EvaluateSettings
from .tasks import LINKING, Task
from .units import to_unit
from .victim import UserSide, Victim

Progress = Callable[[float, str], None]
#: bytes of attacker photos that are held in memory
_MOST_BYTES = 2 << 30


@dataclass
class Run:
    """What every step of an evaluation needs."""

    bundle: Bundle
    settings: EvaluateSettings
    split: Split
    data: DataSplits
    attacker: Part
    test: Part
    setting: Setting
    tasks: list[Task]
    cache: OutcomeCache
    progress: Progress
    total: float
    done: float = 0.0
    shared: dict[str, dict[str, tuple[nn.Module, Training]]] = field(default_factory=dict)

    def attack(
        self, victim: Victim, who: str, name: str, task: Task | None, looks: int = 1, photos: int | None = None
    ) -> Outcome:
        """Attack, or read the finished attack.

        Args:
            victim: whom.
            who: the victim's name among this bundle's.
            name: of the attack.
            task: the attacker's; None for reconstruction.
            looks: messages of each photo.
            photos: of the attacker, at most; None: all it has.
        """
        budget, chosen = self.setting.budget, self.settings
        key = {
            "bundle": self.bundle.manifest.bundle_id, "victim": who, "attack": name, "data": self.data_key,
            "task": None if task is None else task.name, "truth": None if task is None else task.digest,
            "looks": looks, "draws": self.draws(looks), "budget": budget, "photos": photos,
            "attacker_images": len(self.setting.attacker), "test_images": len(self.setting.test),
            "seed": chosen.seed, "wire": chosen.wire,
        }  # fmt: skip
        text = f"{who}: {name}" + (f", {looks} messages" if looks > 1 else "")
        work = work_of(name, task, self.setting)

        def steps(done: int, total: int, line: str) -> None:
            self.progress(min((self.done + work * done / max(total, 1)) / self.total, 1.0), f"{text}: {line}")

        setting, known = self.setting, task
        if photos is not None:
            setting = replace(setting, attacker=setting.attacker[:photos])
            known = None if task is None else replace(task, train=task.train[:photos])
        shared = self.shared.setdefault(f"{who} {photos}", {})
        outcome = self.cache.get(
            key,
            lambda: attack_victim(
                build_attack(name), victim, setting, task=known, looks=looks, draws=self.draws(looks), shared=shared,
                progress=steps,
            ),
        )  # fmt: skip
        self.done += work
        self.progress(min(self.done / self.total, 1.0), text)
        return outcome

    def draws(self, looks: int) -> int:
        """Attacks on each test image."""
        return self.settings.tried.draws if looks == 1 else 1

    @property
    def data_key(self) -> str:
        """The data by its content where that is known, else by its name."""
        return self.data.ref.digest if self.data.ref is not None else data_name(self.bundle, self.settings)

    @property
    def unprotected(self) -> Victim:
        """The network as it was."""
        bare = NoProtection(features_of(self.split.cut.shape))
        return Victim(self.split.head, self.split.tail, bare, **tokens_of(self.bundle))


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
    if (attacker.labels < 0).any() or (test.labels < 0).any():
        raise InputError(f"{data_name(bundle, settings)} has photos without a label; evaluate needs them labelled.")
    split = load_split(bundle)
    images = test.images
    if settings.data is not None and isinstance(split.task, Classify):  # the recorded set was looked at by protect
        answers = in_batches(split.tail, in_batches(split.head, images)).argmax(1)
        record = bundle.manifest.protection
        known = None if record is None or record.accuracy is None else record.accuracy.unprotected
        refuse_chance(answers, test.labels, settings.data, known, escape="")
    setting = Setting(
        attacker=attacker.images,
        test=images,
        photos=to_unit(images, how),
        labels=test.labels,
        judge=judge_of(split.head, split.tail, how),
        preprocess=how,
        seed=settings.seed,
        budget=effort.budget,
        device=device_of(settings.device),
    )
    units = to_unit(setting.attacker, how), setting.photos
    specs = settings.attributes or (("slant" if data_name(bundle, settings) == "digits" else "brightness"),)
    tasks = [attribute_task(spec, data, units) for spec in specs]
    cache = OutcomeCache(bundle.root / "reports" / ".evaluate-cache", keep=bundle.can_report())
    return Run(bundle, settings, split, data, attacker, test, setting, tasks, cache, progress, total=1.0)


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
    truth = truth_for(halves.task, lambda part: halves.tail(halves.head(part)), test, run.setting.labels)
    before = truth.unprotected.mean().item()
    if before <= 0:
        raise InputError("The network is never right on the test images; give the data that it was trained for.")
    return victim.user_side(test, truth, before, 5, run.settings.seed)


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
    return torch.device("cuda" if name != "cpu" and there else "cpu")


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


def work_of(name: str, task: Task | None, setting: Setting) -> float:
    """An attack's training in decoder steps of the budget, roughly: what the progress bar counts by."""
    kinds = attack_class(name).work
    chosen = ("small", "large") if task is not None else ("decoder",)
    cost = {"decoder": 1.0, "small": 0.2, "large": 0.7}
    return 0.05 + sum(cost[kind] * share for kind, share in kinds.items() if kind in chosen)


def _room(bundle: Bundle) -> int:
    how = bundle.manifest.preprocess
    return max(_MOST_BYTES // (4 * how.channels * how.height * how.width), 20)
