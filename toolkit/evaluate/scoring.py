"""From what an attack achieved with and without protection to one line of a report."""

from __future__ import annotations

import math

from ..records.privacy import PrivacyRow
from .attacking import Outcome
from .metrics.pi import pi, pi_per_input, worst
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
    draws: int,
    seed: int,
) -> PrivacyRow:
    """Compare an attack's outcome on protected features with its outcome on unprotected ones."""
    per_input = pi_per_input(before.success, after.success, after.chance)
    pictures = after.ssim is not None
    return PrivacyRow(
        method=method,
        strength=strength,
        attack=attack,
        task=task,
        observations=observations,
        pa=user.pa,
        accuracy=user.protected,
        accuracy_unprotected=user.unprotected,
        inputs_mostly_wrong=(user.per_input < 0.5).float().mean().item(),
        attacker=after.accuracy,
        attacker_unprotected=before.accuracy,
        chance=after.chance,
        pi=pi(before.accuracy, after.accuracy, after.chance),
        pi_inputs_mean=per_input.mean().item() if len(per_input) else None,
        pi_worst5=worst(per_input, 0.05),
        pi_worst1=worst(per_input, 0.01),
        ssim=None if after.ssim is None else after.ssim.mean().item(),
        ssim_unprotected=None if before.ssim is None else before.ssim.mean().item(),
        # the least protected are those rebuilt best
        ssim_worst5=None if after.ssim is None else -(worst(-after.ssim, 0.05) or 0.0),
        # of the mean error: a mean of decibels would be infinite with one perfect picture
        psnr_db=None if after.mse is None else _decibels(after.mse.mean().item()),
        mse=None if after.mse is None else after.mse.mean().item(),
        recognised=after.accuracy if pictures else None,
        images=after.images,
        draws=draws,
        seed=seed,
        pi_inputs=[round(value, 4) for value in per_input.tolist()],
    )


def _decibels(error: float) -> float | None:
    return None if error <= 0 else -10 * math.log10(error)
