"""PA: what the protection leaves of the user's accuracy. The tail is unchanged.

Source: PriPro, CCGrid 2021, for the names; PA = Accuracy'_u / Accuracy_u is this project's reading.
"""

from __future__ import annotations

from torch import Tensor


def pa(unprotected: float, protected: float) -> float:
    """Return PA for two accuracies in [0, 1]; 1 = the protection costs the user nothing.

    Raises:
        ValueError: the network is never right, so that there is nothing to keep.
    """
    if unprotected <= 0:
        raise ValueError("PA is not defined for a network that is never right")
    return protected / unprotected


def pa_per_input(right: Tensor) -> Tensor:
    """Share of draws [N] that the tail gets right, from right [N,draws] of 0 and 1."""
    return right.float().mean(1)
