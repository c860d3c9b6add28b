"""How long an evaluation will take, attack by attack, from the seconds of a training step and its like."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..attacks._fitting import LOOKS_PER_ROUND, held_out
from .attacking import attack_class
from .jobs import Base, Job, makespan
from .running import Run, noise_of
from .tasks import LINKING

#: rounds of a training that are run on the average, as parts of the first one: trials, the first, what follows
_TRIALS, _FIRST, _NEXT = 0.125, 1.0, 0.5
#: of a training step, a pass forward alone
_FORWARD = 0.35
#: of a step, the part that reads a message: each further version of a photo costs it again
_ENTRANCE = 0.15
#: parts of its photos that the strongest attacker is trained again with
PARTS = (0.25, 0.5)

Steps = Mapping[str, float]


def estimate(run: Run, jobs: Collection[Job], step: Steps, workers: int) -> float:
    """Seconds that an evaluation takes from now on; `Run.cost` and `Run.total` are set for its progress bar.

    Args:
        run: the evaluation.
        jobs: its attacks; those that are finished cost nothing.
        step: seconds of its parts, as `time_steps` gives them; with workers, while all of them are at it.
        workers: how many attacks run at a time.
    """
    setting = run.setting
    waiting = [job for job in jobs if run.cache.find(run.key(job)) is None]
    openers: set[Base] = set()
    seconds = {job: cost(run, job, step) + _opening(run, job, step, openers) for job in waiting}
    run.cost = lambda job: seconds[job] if job in seconds else cost(run, job, step)
    head = step["features"] * (len(setting.attacker) + len(setting.test)) * len(run.victims)
    around = head + (step["look"] * len(setting.attacker) if any(job.task == LINKING.name for job in waiting) else 0.0)
    learning: dict[Job, float] = {}
    if run.settings.tried.learning:
        # on a quarter and on half of the photos, with as many steps; the strongest attacker is most often the linker
        whole = [job for job in jobs if job.attack == "linker"] or list(jobs)
        dearest = max(whole, key=lambda job: cost(run, job, step))
        parts = [replace(dearest, photos=round(share * len(setting.attacker))) for share in PARTS]
        learning = {job: cost(run, job, step) for job in parts}
    points = 5 * (1 + len(run.settings.compare)) if run.settings.compare else 0
    curves = points * cost(run, Job("", "attribute", run.tasks[0].name), step)
    run.total = max(sum(seconds.values()) + sum(learning.values()) + curves, 1e-6)
    return around + makespan(waiting, seconds, workers) + makespan(learning, learning, workers) + curves


def _opening(run: Run, job: Job, step: Steps, openers: set[Base]) -> float:
    """Seconds of the training that others start from, where the job that begins with it is not that attack itself."""
    base = job.base
    if base is None or base in openers:
        return 0.0
    openers.add(base)
    return 0.0 if base[2] == job.attack else cost(run, replace(job, attack=base[2], looks=1), step)


def cost(run: Run, job: Job, step: Steps) -> float:
    """Seconds of one attack, alone on its cores: training, and running it on the test photos."""
    kind, budget, setting = attack_class(job.attack), run.setting.budget, run.setting
    if kind.optimises:
        return 200 * step["head"]
    parts = _parts(run, job, step)
    batches = len(setting.test) * run.draws(job.looks) / budget.batch
    seconds = _training(run, job, step, parts) + batches * _FORWARD * max(parts.values(), default=0.0)
    if job.task is None:
        seconds += batches * budget.batch * step["judge"]
    # messages of the test photos, and of those that the attacker is validated on
    sent = batches + held_out(len(setting.attacker)) / budget.batch
    return seconds + sent * (step["again"] + _more(job, step))


def _parts(run: Run, job: Job, step: Steps) -> dict[str, float]:
    """Seconds of a step of each network that an attack trains."""
    kind = attack_class(job.attack)
    chosen = ("decoder",) if job.task is None else ("small", "large")
    # variants are read one by one, and only then put together
    read = 1.0 if kind.sees != "variants" else 1.0 + _ENTRANCE * (job.looks - 1)
    return {part: read * step[part] for part in kind.work if part in chosen}


def _more(job: Job, step: Steps) -> float:
    """Seconds of a batch's messages beyond the first one of each photo."""
    sees = attack_class(job.attack).sees
    return 0.0 if sees == "one" else (job.looks - 1) * step["variant" if sees == "variants" else "again"]


def _training(run: Run, job: Job, step: Steps, parts: Mapping[str, float]) -> float:
    """Steps, validations, and what it takes to send each photo more than once."""
    kind, budget = attack_class(job.attack), run.setting.budget
    if kind.sees == "again" and job.task is None and noise_of(run.bundle) == "memoised":
        return 0.0  # all looks are equal: there is nothing to train
    rounds = _FIRST + _NEXT * max(budget.rounds - 1, 0) * (0.8 if budget.rounds < 4 else 0.5)
    trials = _TRIALS * len(budget.rates) if len(budget.rates) > 1 else 0.0
    steps = budget.steps * (rounds + trials)
    passes = held_out(len(run.setting.attacker)) / budget.batch * (LOOKS_PER_ROUND * budget.rounds + len(budget.rates))
    return sum(
        kind.work[part] * steps * (seconds + _more(job, step)) + _FORWARD * passes * seconds
        for part, seconds in parts.items()
    )
