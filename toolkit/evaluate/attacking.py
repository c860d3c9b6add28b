"""One attack on one victim, from the attacker's own data to its success on every test image.

Notation: N test images; n messages of one photo.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from .. import attacks, plugins
from ..attacks.base import Attack, Budget, Knowledge, Linking, Messages, Training
from ..errors import InputError, UnknownNameError
from ..records.bundle import Preprocess
from .judge import Judge
from .metrics import likeness
from .metrics.reidentification import closer_than_the_true_one, top1_among
from .outcome import AMONG, Outcome
from .tasks import LINKING, Task
from .units import from_unit, to_unit
from .variants import near_duplicates
from .victim import Victim

#: white-box attacks are optimised per photo, so only this many of the test images are attacked
_OPTIMISED_PHOTOS = 64


@dataclass(frozen=True)
class Setting:
    """What stays the same for every attack on a victim.

    Attributes:
        attacker: the attacker's images [M,channels,H,W], preprocessed.
        test: the test images [N,channels,H,W], preprocessed.
        photos: the test images in [0, 1].
        labels: [N] class indices of the test images; of photos without labels, what the unprotected network says.
        judge: the user's unprotected network.
        preprocess: to compare reconstructions with photos in [0, 1].
        seed: of the attacks.
        budget: how hard attackers try.
        device: where they are trained.
        known_landmarks: `landmarks`, where they have been computed.
    """

    attacker: Tensor
    test: Tensor
    photos: Tensor
    labels: Tensor
    judge: Judge
    preprocess: Preprocess
    seed: int
    budget: Budget = field(default_factory=Budget)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    known_landmarks: Tensor | None = None

    def first(self, photos: int) -> Setting:
        """The same with the attacker's first so many photos."""
        known = None if self.known_landmarks is None else self.known_landmarks[:photos]
        return replace(self, attacker=self.attacker[:photos], known_landmarks=known)

    @cached_property
    def landmarks(self) -> Tensor:
        """The attacker's photos in the judge's feature space [M,F]; the same for every victim."""
        if self.known_landmarks is not None:
            return self.known_landmarks
        return self.judge.look(to_unit(self.attacker, self.preprocess)).features


def attack_class(name: str) -> type[Attack]:
    """Find an attack by its name.

    Raises:
        UnknownNameError: no such attack.
    """
    return plugins.load(attacks, "attack", name, Attack)  # type: ignore[type-abstract]


def build_attack(name: str, options: Mapping[str, float] | None = None) -> Attack:
    """Return an attack by name with its own settings.

    Raises:
        UnknownNameError: no such attack, or no such setting of it.
        InputError: a setting that is not finite.
    """
    kind: Callable[..., Attack] = attack_class(name)
    known = inspect.signature(kind).parameters
    for setting, value in (options or {}).items():
        if setting not in known:
            raise UnknownNameError(f"option of attack {name}", setting, known)
        if not math.isfinite(value):
            raise InputError(f"The option {setting} of attack {name} cannot be {value}; give a finite number.")
    # counts come as floats from TOML and JSON
    return kind(**{key: int(value) if float(value).is_integer() else value for key, value in (options or {}).items()})


def attack_victim(
    attack: Attack,
    victim: Victim,
    setting: Setting,
    *,
    task: Task | None,
    looks: int = 1,
    draws: int = 1,
    shared: dict[str, tuple[nn.Module, Training]] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Outcome:
    """Train an attack against this victim, then run it on every test image.

    Args:
        attack: fresh.
        victim: as protected.
        setting: data and judge.
        task: the attacker's task; None for reconstruction.
        looks: n, how often the attacker sees each photo, or versions of it.
        draws: how often each test image is attacked; 1 where nothing is random.
        shared: what earlier attacks on this victim with the same photos left for others.
        progress: called with (steps done, steps in all, one line of text).
    """
    generator = torch.Generator().manual_seed(setting.seed + 1)
    n = looks if attack.sees == "variants" or (attack.sees == "again" and victim.is_random) else 1

    def send(images: Tensor, index: Tensor, source: torch.Generator) -> Messages:
        if attack.sees != "variants":
            return victim.messages(images, index, n, source)
        versions = near_duplicates(to_unit(images[index], setting.preprocess), n, source)
        flat = from_unit(versions.flatten(0, 1), setting.preprocess)
        return victim.messages_of(flat.unflatten(0, (len(index), n)), source)

    alone = torch.Generator().manual_seed(setting.seed + 3)
    log: list[Training] = []
    attack.train(
        Knowledge(
            images=setting.attacker,
            attribute=None if task is None or task is LINKING else task.train,
            classes=0 if task is None else task.classes,
            observe=lambda index: send(setting.attacker, index, generator),
            single=lambda index: victim.messages(setting.attacker, index, 1, alone),
            head=victim.white_box,
            seed=setting.seed,
            budget=setting.budget,
            device=setting.device,
            landmarks=lambda: setting.landmarks,
            shared={} if shared is None else shared,
            log=log,
            progress=progress,
        )
    )
    count = min(len(setting.test), _OPTIMISED_PHOTOS) if attack.optimises else len(setting.test)
    fresh = torch.Generator().manual_seed(setting.seed + 2)
    answers = [
        torch.cat(
            [attack.run(send(setting.test, rows, fresh)) for rows in torch.arange(count).split(victim.rows_for(n))]
        )
        for _ in range(draws if victim.is_random else 1)
    ]
    if isinstance(attack, Linking):
        return _linked([(places, attack.place) for places in answers], setting, tuple(log))
    if task is not None:
        return _attribute(answers, task, tuple(log))
    return judged([to_unit(answer, setting.preprocess) for answer in answers], setting, tuple(log))


def _attribute(answers: list[Tensor], task: Task, trainings: tuple[Training, ...]) -> Outcome:
    index = torch.arange(len(task.test))
    success = torch.stack([scores.exp()[index, task.test] for scores in answers]).mean(0)
    right = torch.stack([(scores.argmax(1) == task.test).float() for scores in answers]).mean(0)
    return Outcome(success, right, task.chance, trainings=trainings)


def _linked(
    answers: list[tuple[Tensor, Callable[[Tensor], Tensor]]], setting: Setting, trainings: tuple[Training, ...] = ()
) -> Outcome:
    """Judge places [N,D], one set per draw, each with the way there from the judge's features."""
    truth = setting.judge.look(setting.photos).features
    among = _crowds(setting)
    found = []
    for places, place in answers:
        closer = closer_than_the_true_one(places, place(truth))
        found.append(torch.stack([top1_among(closer, len(truth), number) for number in among], 1))
    identified = torch.stack(found).mean(0)
    # copies: a cache of outcomes keeps each tensor on its own
    first = identified[:, 0].clone()
    chance, crowds = 1.0 / among[0], tuple(among)
    return Outcome(first, first.clone(), chance, identified=identified, crowds=crowds, trainings=trainings)


def _crowds(setting: Setting) -> list[int]:
    return [number for number in AMONG if number <= len(setting.photos)] or [len(setting.photos)]


def judged(answers: list[Tensor], setting: Setting, trainings: tuple[Training, ...] = ()) -> Outcome:
    """Judge reconstructions [N,channels,H,W] in [0, 1] of the first N test images, one set per draw."""
    count = len(answers[0])
    photos, labels, index = setting.photos[:count], setting.labels[:count], torch.arange(count)
    real = setting.judge.look(setting.photos)
    truth = real.features
    looks = [setting.judge.look(rebuilt) for rebuilt in answers]
    among = _crowds(setting)
    identified = []
    for look in looks:
        closer = closer_than_the_true_one(look.features, truth)
        identified.append(torch.stack([top1_among(closer, len(truth), number) for number in among], 1))
    apart = (truth[index] - truth[index].roll(1, 0)).square().sum(1).sqrt().mean().clamp(min=1e-9)
    success, right = zip(*(setting.judge.recognised(look, real, labels) for look in looks), strict=True)
    return Outcome(
        success=torch.stack(success).mean(0),
        right=torch.stack(right).mean(0),
        chance=setting.judge.chance(real, setting.labels),
        ssim=torch.stack([likeness.ssim(rebuilt, photos) for rebuilt in answers]).mean(0),
        psnr=torch.stack([likeness.psnr(rebuilt, photos) for rebuilt in answers]).mean(0),
        mse=torch.stack([likeness.mse(rebuilt, photos) for rebuilt in answers]).mean(0),
        distance=torch.stack([(look.features - truth[index]).square().sum(1).sqrt() / apart for look in looks]).mean(0),
        identified=torch.stack(identified).mean(0),
        crowds=tuple(among),
        pictures=answers[0],
        trainings=trainings,
    )


def without_looking(setting: Setting) -> Outcome:
    """Score the mean of the attacker's photos as if it were a reconstruction: what every attack has to beat."""
    mean = setting.attacker.mean(0, keepdim=True).expand(len(setting.test), -1, -1, -1)
    return judged([to_unit(mean, setting.preprocess)], setting)


def from_answer_alone(setting: Setting, attacker_labels: Tensor, answers: Tensor) -> Outcome:
    """Score the mean photo of the class that the user is told: what anyone who sees the user's answer can draw.

    Whatever keeps the user's accuracy gives at least this much away. An attacker that scores less got less out of
    the features than that, which may be the attacker's weakness.

    Args:
        setting: data and judge.
        attacker_labels: [M] classes of the attacker's photos.
        answers: [N] the tail's answer for each test image.
    """
    means = _means_of_answers(setting.attacker, attacker_labels, answers)
    return judged([to_unit(means, setting.preprocess)], setting)


def linked_by_answer_alone(setting: Setting, attacker_labels: Tensor, answers: Tensor) -> Outcome:
    """Point at the mean place of the class that the user is told: no message is needed for that.

    Args:
        setting: data and judge.
        attacker_labels: [M] classes of the attacker's photos.
        answers: [N] the tail's answer for each test image.
    """
    means = _means_of_answers(setting.landmarks, attacker_labels, answers)
    return _linked([(means, lambda truth: truth)], setting)


def _means_of_answers(values: Tensor, labels: Tensor, answers: Tensor) -> Tensor:
    """Mean of the attacker's values [M,...] over the class of each answer [N]; over all where it has none of that."""
    overall = values.mean(0)
    classes = int(max(answers.max(), labels.max())) + 1
    means = [values[labels == label].mean(0) if (labels == label).any() else overall for label in range(classes)]
    return torch.stack(means)[answers]
