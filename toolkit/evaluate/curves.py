"""PA against PI over the noise's strength, for a bundle's method and those it is compared with."""

from __future__ import annotations

from ..protect.fitting import Fitting, fit_and_calibrate
from ..protect.protected import protection_class
from ..records.privacy import CurvePoint
from .jobs import Job
from .metrics.pi import pi
from .outcome import Outcome
from .running import UNPROTECTED, Run, method_of, user_side
from .tasks import Task
from .victim import Victim

_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_CURVE_EPOCHS = 6


def curves(run: Run, victim: Victim, before: dict[str, Outcome]) -> list[CurvePoint]:
    """Attack the attribute at five strengths of each method; empty where nothing is compared."""
    if not run.settings.compare:
        return []
    for name in run.settings.compare:
        protection_class(name)
    task, method = run.tasks[0], method_of(run.bundle)
    reference = before.get(task.name) or run.attack(Job(UNPROTECTED, "attribute", task.name))
    found = _curve(run, method, victim, reference, task)
    for name in run.settings.compare:
        if name != method:
            found += _curve(run, name, _fitted(run, name), reference, task)
    return found


def _curve(run: Run, name: str, victim: Victim, before: Outcome, task: Task) -> list[CurvePoint]:
    base = victim.protection.strength.item() or 1.0
    points = []
    for factor in _STRENGTHS if victim.is_random else (1.0,):
        victim.protection.set_strength(base * factor)
        who = name if factor == 1.0 and name == method_of(run.bundle) else f"{name} x {factor:g}"
        after = run.attack(Job(who, "attribute", task.name), victim)
        points.append(
            CurvePoint(
                method=name,
                strength=base * factor,
                pa=user_side(run, victim).pa,
                pi=pi(before.accuracy, after.accuracy, after.chance),
                attacker=after.accuracy,
            )
        )
    victim.protection.set_strength(base)
    return points


def _fitted(run: Run, name: str) -> Victim:
    """Fit another method to the same network and bring it to an accuracy drop of one percent."""
    wanted = Fitting(name, epochs=_CURVE_EPOCHS, seed=run.settings.seed, max_drop=0.01, draws=2)
    fitted = fit_and_calibrate(run.split, run.data, wanted)
    return Victim(fitted.head, run.split.tail, fitted.protection)
