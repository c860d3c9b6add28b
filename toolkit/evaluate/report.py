"""Evaluate a bundle's privacy: attack it, and the same network without protection, and compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ..bundle import Bundle, now_utc
from ..inference import right
from ..records.machine import this_host
from ..records.privacy import Floor, Headline, LearningPoint, PrivacyReport, PrivacyRow
from ..records.tools import tool_versions
from .attacking import Setting, from_answer_alone, linked_by_answer_alone, without_looking
from .curves import curves
from .estimate import estimate
from .metrics.interval import share_interval
from .outcome import Outcome
from .pictures import heat_maps, picture_grid
from .running import (
    Progress,
    Run,
    data_name,
    goals_of,
    looks_of,
    method_of,
    noise_of,
    prepare,
    protected_victim,
    user_side,
    work_of,
)
from .scoring import headline, measures_of, score, strongest
from .settings import EvaluateSettings
from .sizes import message_size
from .tasks import LINKING, Task, answer_alone
from .victim import UserSide, Victim

#: parts of its photos that the strongest attacker is trained again with
_PARTS = (0.25, 0.5)


def evaluate(
    bundle: Bundle,
    settings: EvaluateSettings,
    *,
    progress: Progress = lambda share, text: None,
    told: Callable[[float], None] = lambda seconds: None,
) -> PrivacyReport:
    """Attack a bundle and report what the attackers got; `Bundle.add_report` keeps the report.

    Finished attacks are kept in reports/.evaluate-cache, where the bundle can be written to: a killed evaluation goes
    on where it was.

    Args:
        bundle: protected.
        settings: what the user chose.
        progress: called with (share done, one line of text).
        told: called with the estimated seconds before the first attack.

    Raises:
        InputError: settings that do not fit.
        BundleError: the bundle is not protected yet.
    """
    started = time.monotonic()
    run = prepare(bundle, settings, progress)
    victim, method = protected_victim(bundle, settings), method_of(bundle)
    expected = estimate(run, victim) + time.monotonic() - started
    told(expected)
    run.total = _work(run)
    user = user_side(run, victim)
    before = _unprotected(run)
    floors = _floors(run, user)
    rows: list[PrivacyRow] = []
    shown: dict[str, Outcome] = {}
    for name in settings.names:
        for task in goals_of(name, run.tasks):
            for looks in looks_of(name, settings):
                after = run.attack(victim, method, name, task, looks)
                rows.append(_row(run, victim, user, name, task, looks, before[_key(task)], after, floors[_key(task)]))
                if after.pictures is not None and after.images == len(run.setting.test):
                    shown[name if looks == 1 else f"{name}, {looks} messages"] = after
    found, recognised = headline(rows), _judged(run.setting)
    report = PrivacyReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=this_host(),
        tools=tool_versions("torch", "scikit-image"),
        data=data_name(bundle, settings),
        seed=settings.seed,
        effort=settings.effort,
        attacker_images=len(run.setting.attacker),
        test_images=len(run.setting.test),
        wire=settings.wire,
        noise=noise_of(bundle),
        judge_accuracy=recognised.mean().item(),
        judge_interval=share_interval(recognised),
        message=message_size(run.setting.photos, user.message_bytes),
        headline=found,
        rows=rows,
        learning=_learning(run, victim, found, before) if run.settings.tried.learning else [],
        floors=[_floor("mean photo", without_looking(run.setting)), _floor("mean photo of the answer", floors[""])],
        curves=curves(run, victim, before),
        pictures=picture_grid(run.setting, before[""], shown) if shown and "" in before else [],
        heat_maps=heat_maps(victim.soft, victim.head, run.setting),
        statistics=victim.protection.statistics(victim.smashed(run.setting.test)[0]),
        estimated_seconds=round(expected, 1),
        seconds=round(time.monotonic() - started, 1),
    )
    progress(1.0, "done")
    return report


def _key(task: Task | None) -> str:
    return "" if task is None else task.name


def _unprotected(run: Run) -> dict[str, Outcome]:
    """The strongest attacker on the network as it was, for each goal ("": the photo)."""
    chosen = [name for name in run.settings.names if name in run.settings.tried.unprotected]
    goals = {_key(task): task for name in run.settings.names for task in goals_of(name, run.tasks)}
    found: dict[str, Outcome] = {}
    for key, task in goals.items():
        able = [name for name in chosen if task in goals_of(name, run.tasks)]
        able = able or ["residual_decoder" if task is None else "linker" if task is LINKING else "attribute"]
        found[key] = strongest(run.attack(run.unprotected, "unprotected", name, task) for name in able)
    return found


def _row(
    run: Run,
    victim: Victim,
    user: UserSide,
    name: str,
    task: Task | None,
    looks: int,
    before: Outcome,
    after: Outcome,
    floor: Outcome,
) -> PrivacyRow:
    return score(
        method_of(run.bundle), victim.protection.strength.item(), name, task.name if task else "reconstruction", looks,
        user, before, after,
        floor=floor, draws=run.draws(looks) if victim.is_random else 1, seed=run.settings.seed,
    )  # fmt: skip


def _floors(run: Run, user: UserSide) -> dict[str, Outcome]:
    """What the user's answer alone gives away, for each goal ("": the photo)."""
    found = {"": from_answer_alone(run.setting, run.attacker.labels, user.answers)}
    for task in run.tasks:
        found[task.name] = answer_alone(task, run.attacker.labels, user.answers)
    if any(LINKING in goals_of(name, run.tasks) for name in run.settings.names):
        found[LINKING.name] = linked_by_answer_alone(run.setting, run.attacker.labels, user.answers)
    return found


def _floor(name: str, outcome: Outcome) -> Floor:
    identified = [] if outcome.identified is None else outcome.identified.mean(0).tolist()
    return Floor.model_validate(
        {
            "name": name, "ssim": _mean(outcome.ssim), "recognised": outcome.accuracy,
            "reidentified": {str(among): share for among, share in zip(outcome.crowds, identified, strict=False)},
        }
    )  # fmt: skip


def _learning(run: Run, victim: Victim, found: Headline | None, before: dict[str, Outcome]) -> list[LearningPoint]:
    """Train the headline's attacker on parts of its photos: would more photos have helped?"""
    if found is None:
        return []
    task = next((task for task in (*run.tasks, LINKING) if task.name == found.task), None)
    points = []
    for photos in (*(round(share * len(run.setting.attacker)) for share in _PARTS), None):
        after = run.attack(victim, method_of(run.bundle), found.attack, task, found.observations, photos)
        found_measures = measures_of(before[_key(task)], after, None)
        measure = next(one for one in found_measures if one.name == found.measure)
        points.append(
            LearningPoint(
                photos=photos or len(run.setting.attacker),
                pi=measure.pi,
                pi_interval=measure.pi_interval,
                attacker=measure.attacker,
                interval=measure.interval,
            )
        )
    return points


def _work(run: Run) -> float:
    """All attacks' work, for the progress bar."""
    settings = run.settings
    total = sum(
        work_of(name, task, run.setting)
        for name in settings.names
        for task in goals_of(name, run.tasks)
        for _ in (*looks_of(name, settings), *((1,) if name in settings.tried.unprotected else ()))
    )
    return total + (0.75 if settings.tried.learning else 0.0) + 0.1


def _mean(values: Tensor | None) -> float:
    return 0.0 if values is None else values.mean().item()


def _judged(setting: Setting) -> Tensor:
    """[N] 1 where the judge recognises the real photo."""
    return right(setting.judge.probabilities(setting.photos), setting.labels).float()


def newest_report(bundle: Bundle) -> Path | None:
    """The privacy report that was written last, or None."""
    found = sorted((bundle.root / "reports").glob("privacy-*.json"))
    return found[-1] if found else None
