"""Is the noise as strong as eager torch's, and where it should be? From outputs alone.

A head's answer to a photo is a deterministic part, its answer to eps = 0, and what eps adds. For PriPro that is
W_A * sigma * eps, so the noise's strength per channel follows sigma, per position W_A, and a wrong W_A also moves the
deterministic part, (1 - W_A) * x + W_A * mu. Both parts are compared with eager torch's, for several eps on one photo.
Logits may agree while noise is weaker, or because it is: then the head is unsafe and fails here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..package import limits
from ..package.cases import NO_NOISE, OTHER_DRAW, SATURATED, SWINGING
from .compare import max_abs, sqnr_db

if TYPE_CHECKING:
    from ..records.parity import ParityRow
    from .replay import Array, Goldens
    from .rows import Subject

#: rows that show a photo with another eps than its own
_DRAWS = (OTHER_DRAW, SWINGING, SATURATED)
#: channels and positions with less than this share of the mean noise power have no meaningful strength
_AUDIBLE = 1e-2
#: an output that changes by less than this share of the expected change has no noise
_SILENT = 0.01
#: a channel or position with less than this share of the overall strength is a fault of its own
_LOCAL = 0.7
#: one coarse code more or less, among the few that noise moved
_ONE_CODE = 0.05
#: the part without noise counts as right above this SQNR
_SAME_DB = 25.0


@dataclass(frozen=True)
class NoiseStrength:
    """How much of the expected noise is there: 1 = all of it, 0 = none.

    Attributes:
        overall: least-squares gain over all of it.
        weakest_channel: least gain among channels, which follow sigma.
        weakest_position: least gain among positions, which follow W_A.
    """

    overall: float
    weakest_channel: float
    weakest_position: float


def noise_row(subject: Subject, goldens: Goldens, got: Array, *, local: bool = True) -> ParityRow:
    """Compare what eps adds to a photo, for every photo that the goldens have without noise, and every eps.

    Args:
        subject: what answered.
        goldens: inputs and eager torch's answers.
        got: the answers [n,c,h,w].
        local: judge channels and positions too; not for coarse codes, which change in few places.
    """
    quiet = goldens.all_of(NO_NOISE)
    if not quiet:
        return subject.not_run("these goldens have no row with eps = 0; make them again with pripro package")
    # the k-th row without noise, and the k-th of each other draw, are of the k-th photo
    draws = [list(range(len(quiet))), *(rows for name in _DRAWS if (rows := goldens.all_of(name)))]
    twins, beside = [index for draw in draws for index in draw], quiet * len(draws)
    wanted = goldens.smashed[twins].astype(np.float64) - goldens.smashed[beside]
    with np.errstate(invalid="ignore"):  # two infinite answers; judged as not finite below
        mine = got[twins].astype(np.float64) - got[beside]
    allowed, weakest = limits.strength(subject.kept)
    allowed = allowed if local else max(allowed, _ONE_CODE)
    found = noise_strength(wanted, mine) if np.isfinite(mine).all() else NoiseStrength(np.nan, np.nan, np.nan)
    passed = (
        abs(found.overall - 1.0) <= allowed
        and (found.weakest_channel >= 1.0 - weakest or not local)
        and (found.weakest_position >= 1.0 - weakest or not local)
    )
    same_base = sqnr_db(goldens.smashed[quiet], got[quiet]) >= _SAME_DB
    return subject.row(
        "noise",
        "privacy",
        f"strength 1 +- {allowed:g}",
        passed,
        n=len(twins),
        max_abs=max_abs(wanted, mine),
        sqnr_db=sqnr_db(wanted, mine),
        note=f"strength {found.overall:.4g}" if passed else _name(found, same_base=same_base, local=local),
    )


def noise_strength(wanted: Array, mine: Array) -> NoiseStrength:
    """Gains of noise [k,c,h,w] against the wanted noise: overall, least per channel, least per position."""
    product, power = wanted * mine, np.square(wanted)
    if power.sum() == 0.0:
        return NoiseStrength(*([1.0 if not mine.any() else np.inf] * 3))
    return NoiseStrength(
        float(product.sum() / power.sum()),
        _least(product.sum((0, 2, 3)), power.sum((0, 2, 3))),
        _least(product.sum((0, 1)), power.sum((0, 1))),
    )


def _least(product: Array, power: Array) -> float:
    audible = power > _AUDIBLE * power.mean()
    return float((product[audible] / power[audible]).min())


def _name(found: NoiseStrength, *, same_base: bool, local: bool) -> str:
    if not np.isfinite(found.overall):
        return "the answers are not finite"
    if abs(found.overall) < _SILENT:
        return "eps is ignored: every eps gives the same answer"
    least = min(found.weakest_channel, found.weakest_position)
    if local and least < _LOCAL * found.overall:
        where = "channel (sigma)" if found.weakest_channel < found.weakest_position else "position (W_A)"
        return f"the noise has {least:.2f} of its strength in its weakest {where}"
    cause = "sigma is wrong, the part without noise is right" if same_base else "the part without noise departs, too"
    return f"the noise has {found.overall:.3g} of its strength: {cause}"
