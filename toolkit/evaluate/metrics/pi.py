"""PI: how far the protection pushes an attacker, retrained against it, towards chance.

Source: PriPro, CCGrid 2021, for the names and for looking at single inputs; the formulas are this project's
reading: PI = 1 - (Accuracy'_a - chance_a) / (Accuracy_a - chance_a), clipped to [0, 1].

Per input, "accuracy" is the mean probability, over draws of eps, that the attacker gives to the truth: an
attacker that samples its guess from its own scores is right just as often. A count of hits would call every input
unprotected that a constant guess happens to hit.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: an unprotected attack that is not better than chance by this much has nothing to lose
LEAST_ADVANTAGE = 0.02


def pi(unprotected: float, protected: float, chance: float) -> float | None:
    """Return PI for the attacker's success before and after protection, shares in [0, 1].

    Returns:
        0 = not hindered, 1 = reduced to chance; None where the unprotected attack is no better than chance.
    """
    advantage = unprotected - chance
    if advantage < LEAST_ADVANTAGE:
        return None
    return min(max(1.0 - (protected - chance) / advantage, 0.0), 1.0)


def pi_per_input(unprotected: Tensor, protected: Tensor, chance: float) -> Tensor:
    """PI of each input that the unprotected attack succeeds on better than chance.

    Args:
        unprotected: [N] the attacker's success on the unprotected features of each input.
        protected: [N] its success on the protected ones, mean over draws.
        chance: success without looking.

    Returns:
        [M] with M <= N, in [0, 1].
    """
    advantage = unprotected - chance
    counts = advantage >= LEAST_ADVANTAGE
    return (1.0 - (protected[counts] - chance) / advantage[counts]).clamp(0.0, 1.0)


def worst(values: Tensor, share: float) -> float | None:
    """Mean over the least protected `share` of inputs (at least one); None without inputs."""
    if len(values) == 0:
        return None
    count = max(round(len(values) * share), 1)
    return torch.sort(values).values[:count].mean().item()
