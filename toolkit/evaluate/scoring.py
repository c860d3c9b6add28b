"""From what an attack achieved with and without protection to one line of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor

from ..records.privacy import Headline, Measure, PrivacyRow, TrainingRecord
from .metrics.interval import pi_interval, share_interval
from .metrics.pi import pi, pi_per_input, worst
from .outcome import Outcome
from .victim import UserSide

#: reconstructions below it count as unrecognisable (He et al., 2020)
UNRECOGNISABLE_SSIM = 0.3


def score(
    method: str,
    strength: float,
    attack: str,
    task: str,
    observations: int,
    user: UserSide,
    before: Outcome,
    after: Outcome,
    *,
    floor: Outcome | None = None,
    draws: int,
    seed: int,
) -> PrivacyRow:
    """Compare an attack's outcome on protected messages with the strongest one's on unprotected ones."""
    per_input = pi_per_input(before.success[: after.images], after.success, after.chance)
    measures = measures_of(before, after, floor)
    return PrivacyRow(
        method=method,
        strength=strength,
        attack=attack,
        task=task,
        observations=observations,
        pa=user.pa,
        pa_interval=user.pa_interval,
        accuracy=user.protected,
        accuracy_interval=share_interval(user.per_input),
        accuracy_unprotected=user.unprotected,
        inputs_mostly_wrong=(user.per_input < 0.5).float().mean().item(),
        measures=measures,
        attacker=measures[0].attacker,
        attacker_unprotected=measures[0].unprotected,
        chance=measures[0].chance,
        pi=measures[0].pi,
        pi_inputs_mean=per_input.mean().item() if len(per_input) else None,
        pi_worst5=worst(per_input, 0.05),
        pi_worst1=worst(per_input, 0.01),
        ssim=_mean(after.ssim),
        ssim_interval=None if after.ssim is None else share_interval(after.ssim),
        ssim_unprotected=_mean(before.ssim),
        # the least protected are those rebuilt best
        ssim_worst5=None if after.ssim is None else -(worst(-after.ssim, 0.05) or 0.0),
        # of the mean error: a mean of decibels would be infinite with one perfect picture
        psnr_db=None if after.mse is None else _decibels(after.mse.mean().item()),
        mse=_mean(after.mse),
        feature_distance=_mean(after.distance),
        recognised=None if after.ssim is None else after.accuracy,
        images=after.images,
        draws=draws,
        seed=seed,
        trainings=[
            TrainingRecord(
                what=one.what, photos=one.photos, rate=one.rate, steps=one.steps, converged=one.converged,
                losses=list(one.losses),
            )
            for one in after.trainings
        ],
        pi_inputs=[round(value, 4) for value in per_input.tolist()],
    )  # fmt: skip


def measures_of(before: Outcome, after: Outcome, floor: Outcome | None) -> list[Measure]:
    """Every way to count an outcome: recognised and re-identified, re-identified alone, or the attribute."""
    if after.identified is None or before.identified is None:
        return [_measure("attribute", before.right, after.right, after.chance, None if floor is None else floor.right)]
    found = []
    if after.ssim is not None:  # there is a picture
        told = None if floor is None else floor.right
        found.append(_measure("recognised", before.right, after.right, after.chance, told))
    for place in range(after.identified.shape[1]):
        among = after.crowds[place]
        found.append(
            _measure(
                f"re-identified of {among}",
                before.identified[:, place],
                after.identified[:, place],
                1.0 / among,
                None if floor is None or floor.identified is None else floor.identified[:, place],
            )
        )
    return found


def headline(rows: Iterable[PrivacyRow]) -> Headline | None:
    """The lowest PI over rows and measures; None where no unprotected attacker beats chance."""
    found = [(measure.pi, measure, row) for row in rows for measure in row.measures if measure.pi is not None]
    if not found:
        return None
    lowest, measure, row = min(found, key=lambda one: (one[0], -one[1].attacker))
    return Headline(
        pi=lowest, interval=measure.pi_interval, attack=row.attack, task=row.task, measure=measure.name,
        observations=row.observations,
    )  # fmt: skip


def weakest_protection_first(row: PrivacyRow) -> tuple[float, float]:
    """Sort reconstructing rows: the lowest PI over measures first, among equals the likest picture."""
    found = [measure.pi for measure in row.measures if measure.pi is not None]
    return min(found, default=1.0), -(row.ssim or 0.0)


def strongest(outcomes: Iterable[Outcome]) -> Outcome:
    """The unprotected outcome that PI is measured against: the attacker that is right most often, over most photos."""
    return max(outcomes, key=lambda one: one.accuracy + (0.0 if one.ssim is None else one.ssim.mean().item()))


def _measure(name: str, before: Tensor, after: Tensor, chance: float, floor: Tensor | None) -> Measure:
    return Measure(
        name=name,
        attacker=after.mean().item(),
        interval=share_interval(after),
        unprotected=before.mean().item(),
        chance=chance,
        floor=None if floor is None else floor.mean().item(),
        pi=pi(before.mean().item(), after.mean().item(), chance),
        pi_interval=pi_interval(before, after, chance),
    )


def _mean(values: Tensor | None) -> float | None:
    return None if values is None else values.mean().item()


def _decibels(error: float) -> float | None:
    return None if error <= 0 else -10 * math.log10(error)
