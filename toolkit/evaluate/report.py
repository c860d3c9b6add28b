"""Evaluate a bundle's privacy: attack it, and the same network without protection, and compare."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..bundle import Bundle, now_utc
from ..errors import InputError
from ..records.machine import this_host
from ..records.privacy import Floor, Headline, LearningPoint, PrivacyReport, PrivacyRow
from ..records.tools import tool_versions
from ..tasks.classify import Classify
from .attacking import Setting, from_answer_alone, linked_by_answer_alone, without_looking
from .curves import curves
from .estimate import PARTS, estimate
from .jobs import Job, shares
from .metrics.interval import share_interval
from .outcome import Outcome
from .pictures import heat_maps, picture_grid
from .ranks import ALONE, Ranks
from .rates import rates
from .running import (
    UNPROTECTED,
    Progress,
    Run,
    data_name,
    goals_of,
    looks_of,
    method_of,
    noise_of,
    prepare,
    user_side,
)
from .scoring import headline, measures_of, score, strongest, weakest_protection_first
from .settings import EvaluateSettings
from .side_by_side import Workers, side_by_side, worker_count
from .sizes import message_size
from .step_seconds import time_steps
from .tasks import LINKING, answer_alone
from .victim import UserSide


def evaluate(
    bundle: Bundle,
    settings: EvaluateSettings,
    *,
    progress: Progress = lambda share, text: None,
    told: Callable[[float], None] = lambda seconds: None,
    among: Ranks = ALONE,
) -> PrivacyReport:
    """Attack a bundle and report what the attackers got; `Bundle.add_report` keeps the report.

    Finished attacks are kept in reports/.evaluate-cache, where the bundle can be written to: a killed evaluation goes
    on where it was.

    Args:
        bundle: protected.
        settings: what the user chose.
        progress: called with (share done, one line of text).
        told: called with the estimated seconds before the first attack.
        among: of several processes this is the first; the others `join`.

    Raises:
        InputError: settings that do not fit, or several processes and a bundle that cannot be written to.
        BundleError: the bundle is not protected yet.
    """
    started = time.monotonic()
    run = _prepared(bundle, settings, progress, among)
    jobs = _jobs(run)
    step = time_steps(run.setting, run.victims[method_of(bundle)])
    expected = estimate(run, jobs, step, among.processes)
    count = worker_count(run, expected) if among.processes == 1 else 1
    with side_by_side(run, count) if count > 1 else contextlib.nullcontext() as workers:
        if workers is not None:
            expected = estimate(run, jobs, workers.steps(), count)
        expected += time.monotonic() - started
        told(expected)
        if workers is not None:
            workers.carry_out(jobs)
        elif among.processes > 1:
            _carry_out_own(run, jobs, among)
            among.wait(
                lambda: sum(run.cache.find(run.key(job)) is None for job in jobs),
                lambda left: run.show(0.0, f"{left} attacks of other processes"),
            )
        report = _report(run, workers)
    seconds = time.monotonic() - started
    progress(1.0, "done")
    return report.model_copy(update={"estimated_seconds": round(expected, 1), "seconds": round(seconds, 1)})


def join(bundle: Bundle, settings: EvaluateSettings, among: Ranks) -> None:
    """Carry out this process's share of the attacks, which the first one then finds in the cache."""
    run = _prepared(bundle, settings, lambda share, text: None, among)
    _carry_out_own(run, _jobs(run), among)


def _prepared(bundle: Bundle, settings: EvaluateSettings, progress: Progress, among: Ranks) -> Run:
    run = prepare(bundle, settings, progress)
    if among.processes > 1 and not run.cache.keep:
        raise InputError(
            f"{bundle.root} cannot be written to, and {among.processes} processes hand their results over there; "
            "make it writable, or evaluate in one process."
        )
    return run


def _carry_out_own(run: Run, jobs: list[Job], among: Ranks) -> None:
    for job in shares(jobs, among.processes)[among.rank]:
        run.attack(job)


def _report(run: Run, workers: Workers | None) -> PrivacyReport:
    """Read every attack's outcome, or attack now, and put them together."""
    bundle, settings, method = run.bundle, run.settings, method_of(run.bundle)
    victim = run.victims[method]
    user = user_side(run, victim)
    before = {key: strongest(run.attack(job) for job in jobs) for key, jobs in _unprotected(run).items()}
    floors = _floors(run, user)
    rows: list[PrivacyRow] = []
    shown: list[tuple[PrivacyRow, Outcome]] = []
    for job in _protected(run):
        after, key = run.attack(job), job.task or ""
        rows.append(_row(run, user, job, before[key], after, floors[key]))
        if after.pictures is not None:
            shown.append((rows[-1], after))
    shown.sort(key=lambda one: weakest_protection_first(one[0]))
    # the strongest ranks the photos; one that drew few of them has no place beside it
    drawn = {
        _called(row): outcome
        for number, (row, outcome) in enumerate(shown)
        if number == 0 or outcome.images == len(run.setting.test)
    }
    found, recognised = headline(rows), _judged(run.setting)
    return PrivacyReport(
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
        judged_by="labels" if run.by_labels else "answers",
        message=message_size(run.setting.photos, user.message_bytes),
        rates=rates(run, user),
        headline=found,
        rows=rows,
        learning=_learning(run, workers, found, before) if settings.tried.learning else [],
        floors=[_floor("mean photo", without_looking(run.setting)), _floor("mean photo of the answer", floors[""])],
        curves=curves(run, victim, before),
        pictures=picture_grid(run.setting, before[""], drawn) if drawn and "" in before else [],
        heat_maps=heat_maps(victim.soft, victim.head, run.setting),
        statistics=victim.protection.statistics(victim.smashed(run.setting.test)[0]),
        estimated_seconds=0.0,
        seconds=0.0,
    )


def _called(row: PrivacyRow) -> str:
    return row.attack if row.observations == 1 else f"{row.attack}, {row.observations} messages"


def _jobs(run: Run) -> list[Job]:
    """Every attack but those that the first results ask for."""
    return [*itertools.chain.from_iterable(_unprotected(run).values()), *_protected(run)]


def _protected(run: Run) -> list[Job]:
    """Attacks on the bundle: a row each."""
    method, chosen = method_of(run.bundle), run.settings
    return [
        Job(method, name, None if task is None else task.name, looks)
        for name in chosen.names
        for task in goals_of(name, run.tasks)
        for looks in looks_of(name, chosen)
    ]


def _unprotected(run: Run) -> dict[str, list[Job]]:
    """Attacks on the network as it was, for each goal ("": the photo); PI is measured against the strongest."""
    chosen = [name for name in run.settings.names if name in run.settings.tried.unprotected]
    found: dict[str, list[Job]] = {}
    for task in dict.fromkeys(job.task for job in _protected(run)):
        able = [name for name in chosen if task in _goal_names(run, name)]
        able = able or ["residual_decoder" if task is None else "linker" if task == LINKING.name else "attribute"]
        found[task or ""] = [Job(UNPROTECTED, name, task) for name in able]
    return found


def _goal_names(run: Run, name: str) -> list[str | None]:
    return [None if task is None else task.name for task in goals_of(name, run.tasks)]


def _row(run: Run, user: UserSide, job: Job, before: Outcome, after: Outcome, floor: Outcome) -> PrivacyRow:
    victim = run.victims[job.who]
    return score(
        job.who, victim.protection.strength.item(), job.attack, job.task or "reconstruction", job.looks,
        user, before, after,
        floor=floor, draws=run.draws(job.looks) if victim.is_random else 1, seed=run.settings.seed,
    )  # fmt: skip


def _floors(run: Run, user: UserSide) -> dict[str, Outcome]:
    """What the user's answer alone gives away, for each goal ("": the photo)."""
    # answers that are not classes reveal none: all photos count as one, as in `user.answers`
    known = run.attacker.labels if isinstance(run.split.task, Classify) else torch.zeros_like(run.attacker.labels)
    found = {"": from_answer_alone(run.setting, known, user.answers)}
    for task in run.tasks:
        found[task.name] = answer_alone(task, known, user.answers)
    if any(LINKING in goals_of(name, run.tasks) for name in run.settings.names):
        found[LINKING.name] = linked_by_answer_alone(run.setting, known, user.answers)
    return found


def _floor(name: str, outcome: Outcome) -> Floor:
    identified = [] if outcome.identified is None else outcome.identified.mean(0).tolist()
    return Floor.model_validate(
        {
            "name": name, "ssim": _mean(outcome.ssim), "recognised": outcome.accuracy,
            "reidentified": {str(among): share for among, share in zip(outcome.crowds, identified, strict=False)},
            "ssim_interval": None if outcome.ssim is None else share_interval(outcome.ssim),
            "recognised_interval": share_interval(outcome.right),
        }
    )  # fmt: skip


def _learning(
    run: Run, workers: Workers | None, found: Headline | None, before: dict[str, Outcome]
) -> list[LearningPoint]:
    """Train the headline's attacker on parts of its photos: would more photos have helped?"""
    if found is None:
        return []
    every = len(run.setting.attacker)
    whole = next(
        job for job in _protected(run)
        if (job.attack, job.task or "reconstruction", job.looks) == (found.attack, found.task, found.observations)
    )  # fmt: skip
    jobs = [*(replace(whole, photos=round(share * every)) for share in PARTS), whole]
    if workers is not None:
        workers.carry_out(jobs)
    points = []
    for job in jobs:
        found_measures = measures_of(before[job.task or ""], run.attack(job), None)
        measure = next(one for one in found_measures if one.name == found.measure)
        points.append(
            LearningPoint(
                photos=job.photos or every,
                pi=measure.pi,
                pi_interval=measure.pi_interval,
                attacker=measure.attacker,
                interval=measure.interval,
            )
        )
    return points


def _mean(values: Tensor | None) -> float:
    return 0.0 if values is None else values.mean().item()


def _judged(setting: Setting) -> Tensor:
    """[N] how far the judge recognises the real photo."""
    real = setting.judge.look(setting.photos)
    return setting.judge.recognised(real, real, setting.labels)[1]


def newest_report(bundle: Bundle) -> Path | None:
    """The privacy report that was written last, or None."""
    found = sorted((bundle.root / "reports").glob("privacy-*.json"))
    return found[-1] if found else None
