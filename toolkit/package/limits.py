"""How far a converted head may depart from eager torch before something is wrong, and why.

fp32: 1e-4 in absolute terms while features stay within +-10; above, the same share of the largest feature (1e-5).
    Kernels add the same products in another order, which costs a few units of float32's last place (6e-8 of the
    largest partial sum) per layer; 1e-5 leaves room for tens of layers and is far below any wrong operator.
fp16: 50 dB. Rounding to 11 bits leaves 65 to 75 dB per operator, and errors of n layers add up by 10 log10 n.
int8: 20 dB, w8: 25 dB. An 8-bit code over a range of 4 to 6 times the signal's root mean square leaves 37 to 41 dB;
    ten such layers leave about 30, and PriPro's attention passes on what its features lost, magnified by up to
    10 dB. A wrong scale, zero point or operator leaves 0 to 12. The limit tells these two apart; to pass is no praise:
    a well calibrated head reaches 35 dB, and the table shows how far each one is from that.
w6, w4: the same arithmetic for 64 and 16 levels.

Hard inputs are judged one by one. On an image of one colour the attention is flat, and its min-max magnifies rounding
by up to 1 / FLAT = 20: ten times the difference, 10 dB less. An int8 head clips what it was not calibrated for, and
rightly so: extreme images must stay finite, and a photo with extreme noise must stay within 10 dB of the limit.

Noise is computed in float by every converter here, so its strength may only follow the features:
measured on int8 heads of trained networks, by up to 9 %.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .cases import IMAGES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

#: largest absolute difference for fp32, least SQNR in dB for the others
TOLERANCES = {"fp32": 1e-4, "fp16": 50.0, "int8": 20.0, "w8": 25.0, "w6": 15.0, "w4": 8.0}
#: features beyond this are judged by their share of it, see above
_UNIT_PEAK = 10.0
#: what hard inputs may lose: dB, and for fp32 a factor
_HARD_MARGIN, _HARD_FACTOR = 10.0, 10.0
#: largest relative departure of the noise's strength: overall, and in its weakest channel or position
_STRENGTH = {"fp32": (1e-3, 1e-2), "fp16": (1e-2, 0.05), "int8": (0.15, 0.4), "w8": (0.1, 0.3)}
_STRENGTH_ELSE = (0.25, 0.5)
#: least top-1 agreement with eager torch
_AGREEMENT = {"fp32": 1.0, "fp16": 0.99, "int8": 0.95, "w8": 0.95}
_AGREEMENT_ELSE = 0.8
#: least share of a waist's codes that are eager torch's: an error of e steps moves about that share over a border, and
#: 20 dB of SQNR is an error of a tenth of the codes' spread, which is about one step
_CODE_AGREEMENT = {"fp32": 0.999, "fp16": 0.99, "int8": 0.9, "w8": 0.95}


def largest_difference(tolerance: float, expected: Array) -> float:
    """How far an fp32 head may be off, given what eager torch answered."""
    return tolerance * max(1.0, float(np.abs(expected).max()) / _UNIT_PEAK)


def largest_difference_on_hard_inputs(tolerance: float, expected: Array) -> float:
    """How far an fp32 head may be off on one hard input."""
    return _HARD_FACTOR * largest_difference(tolerance, expected)


def least_sqnr_on_hard_inputs(precision: str, tolerance: float, row: str) -> float:
    """In dB, for a row of that name; minus infinity where it must only stay finite."""
    if precision == "int8" and row in IMAGES:
        return -math.inf
    return tolerance - _HARD_MARGIN


def strength(precision: str) -> tuple[float, float]:
    """How far the noise's strength may be off: overall, and in its weakest channel or position."""
    return _STRENGTH.get(precision, _STRENGTH_ELSE)


def least_agreement(precision: str) -> float:
    """Least share of inputs whose top-1 class is eager torch's."""
    return _AGREEMENT.get(precision, _AGREEMENT_ELSE)


def least_code_agreement(precision: str) -> float:
    """Least share of a waist's codes that are eager torch's."""
    return _CODE_AGREEMENT.get(precision, _AGREEMENT_ELSE)


def tolerance_of(tolerances: Mapping[str, float], precision: str) -> float:
    """Limit for photos: dB, or for fp32 a difference."""
    return tolerances.get(precision, TOLERANCES.get(precision, TOLERANCES["w8"]))
