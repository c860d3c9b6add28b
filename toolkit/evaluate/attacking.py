"""One attack on one victim, from the attacker's own data to its success on every test image.

Notation: N test images; n observations of one photo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import attacks, plugins
from ..attacks.base import Attack, Knowledge
from ..records.bundle import Preprocess
from .judge import Judge
from .metrics import likeness
from .tasks import Task
from .victim import Victim

#: white-box attacks are optimised per photo: a part of the test images has to do
_OPTIMISED_PHOTOS = 64


@dataclass(frozen=True)
class Setting:
    """What stays the same for every attack on a victim.

    Attributes:
        attacker: the attacker's images [M,channels,H,W], preprocessed.
        test: the test images [N,channels,H,W], preprocessed.
        photos: the test images in [0, 1].
        labels: [N] class indices of the test images.
        judge: the evaluator's classifier.
        seed: of the attacks.
    """

    attacker: Tensor
    test: Tensor
    photos: Tensor
    labels: Tensor
    judge: Judge
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What an attack achieved. Shares are in [0, 1].

    Attributes:
        success: [N] per test image: mean probability, over draws, of the truth.
        accuracy: share of right answers: the attribute, or the class that the judge recognises.
        chance: accuracy without looking.
        ssim, psnr, mse: [N] mean over draws; None for attributes.
        pictures: [N,channels,H,W] in [0, 1], reconstructions of the first draw; None for attributes.
        images: N.
    """

    success: Tensor
    accuracy: float
    chance: float
    ssim: Tensor | None
    psnr: Tensor | None
    mse: Tensor | None
    pictures: Tensor | None

    @property
    def images(self) -> int:
        """How many test images were attacked."""
        return len(self.success)


def to_unit(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Undo the normalisation: preprocessed images [N,C,H,W] -> [0, 1]."""
    mean = torch.tensor(preprocess.mean).view(1, -1, 1, 1)
    std = torch.tensor(preprocess.std).view(1, -1, 1, 1)
    return (images * std + mean).clamp(0.0, 1.0)


def build_attack(name: str, options: Mapping[str, float] | None = None) -> Attack:
    """Return an attack by name with its own settings.

    Raises:
        UnknownNameError: no such attack.
    """
    kind: Callable[..., Attack] = plugins.load(attacks, "attack", name, Attack)  # type: ignore[type-abstract]
    # counts come as floats from TOML and JSON
    return kind(**{key: int(value) if float(value).is_integer() else value for key, value in (options or {}).items()})


def attack_victim(
    attack: Attack,
    victim: Victim,
    setting: Setting,
    preprocess: Preprocess,
    *,
    task: Task | None,
    observations: int,
    draws: int,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Outcome:
    """Train an attack against this victim, then run it on every test image.

    Args:
        attack: fresh.
        victim: as protected.
        setting: data and judge.
        preprocess: to compare reconstructions with photos in [0, 1].
        task: the attacker's task; None for reconstruction.
        observations: n, how often the attacker sees each photo, fresh eps each.
        draws: how often each test image is attacked; 1 where nothing is random.
        progress: called with (steps done, steps in all, one line of text).
    """
    generator = torch.Generator().manual_seed(setting.seed + 1)
    n = observations if victim.is_random else 1
    attack.train(
        Knowledge(
            images=setting.attacker,
            attribute=None if task is None else task.train,
            classes=0 if task is None else task.classes,
            observe=lambda images: victim.observe(images, generator),
            head=victim.mean_head(),
            seed=setting.seed,
            observations=n,
            progress=progress,
        )
    )
    count = min(len(setting.test), _OPTIMISED_PHOTOS) if attack.optimises else len(setting.test)
    smashed = victim.smashed(setting.test)[:count]
    fresh = torch.Generator().manual_seed(setting.seed + 2)
    answers = [
        torch.cat([attack.run(victim.observe_many(part, n, fresh)) for part in smashed.split(victim.rows_for(n))])
        for _ in range(draws if victim.is_random else 1)
    ]
    if task is not None:
        return _attribute(answers, task)
    return _images([to_unit(answer, preprocess) for answer in answers], setting, count)


def _attribute(answers: list[Tensor], task: Task) -> Outcome:
    index = torch.arange(len(task.test))
    success = torch.stack([scores.exp()[index, task.test] for scores in answers]).mean(0)
    right = torch.stack([(scores.argmax(1) == task.test).float() for scores in answers])
    return Outcome(success, right.mean().item(), task.chance, None, None, None, None)


def _images(answers: list[Tensor], setting: Setting, count: int) -> Outcome:
    photos, labels = setting.photos[:count], setting.labels[:count]
    index = torch.arange(count)
    judged = [setting.judge.probabilities(rebuilt) for rebuilt in answers]
    success = torch.stack([scores[index, labels] for scores in judged]).mean(0)
    right = torch.stack([(scores.argmax(1) == labels).float() for scores in judged])
    chance = torch.bincount(setting.labels).max().item() / len(setting.labels)
    return Outcome(
        success,
        right.mean().item(),
        chance,
        torch.stack([likeness.ssim(rebuilt, photos) for rebuilt in answers]).mean(0),
        torch.stack([likeness.psnr(rebuilt, photos) for rebuilt in answers]).mean(0),
        torch.stack([likeness.mse(rebuilt, photos) for rebuilt in answers]).mean(0),
        answers[0],
    )


def without_looking(setting: Setting, preprocess: Preprocess) -> Outcome:
    """Score the mean of the attacker's photos as if it were a reconstruction: what every attack has to beat."""
    mean = setting.attacker.mean(0, keepdim=True).expand(len(setting.test), -1, -1, -1)
    return _images([to_unit(mean, preprocess)], setting, len(setting.test))


def from_label_alone(setting: Setting, preprocess: Preprocess, attacker_labels: Tensor) -> Outcome:
    """Score the mean photo of the right class: what anyone can draw who knows the user's answer.

    Whatever keeps the user's accuracy gives at least this much away. An attacker that scores less made less of
    the features than that, which may be the attacker's weakness.
    """
    overall = setting.attacker.mean(0)
    known = [label in attacker_labels.tolist() for label in range(int(setting.labels.max()) + 1)]
    means = torch.stack(
        [setting.attacker[attacker_labels == label].mean(0) if there else overall for label, there in enumerate(known)]
    )
    return _images([to_unit(means[setting.labels], preprocess)], setting, len(setting.test))
