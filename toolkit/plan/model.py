"""From a few measured heads to all of them: a model of milliseconds per operation, and how wrong it is.

ms(cut) = counts(cut) . weights, weights >= 0, fitted to relative errors; what is left at the measured cuts is
interpolated between them along the model's own axis, so that a measured cut keeps its measured value.
The error that is stated comes from leaving each measured cut out in turn and predicting it from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingExtraError
from .costs import KINDS

if TYPE_CHECKING:
    from .costs import Counts

LEAST_MEASURED = 3
PULL = 0.05


@dataclass(frozen=True)
class LatencyModel:
    """A fitted model.

    Attributes:
        weights: ms per count [len(KINDS)], >= 0.
        knots: model ms of the measured cuts, ascending.
        factors: measured ms / model ms at the knots.
        error_median: median relative error, leave-one-out.
        error_worst: worst relative error, leave-one-out.
    """

    weights: Counts
    knots: tuple[float, ...]
    factors: tuple[float, ...]
    error_median: float
    error_worst: float

    def predict(self, counts: Counts) -> float:
        """Predict ms of a head with these counts."""
        model_ms = float(counts @ self.weights)
        return model_ms * float(np.interp(model_ms, self.knots, self.factors))


def fit(measured: Mapping[str, tuple[Counts, float]]) -> LatencyModel:
    """Fit to {cut: (counts, ms)}, at least three of them."""
    if len(measured) < LEAST_MEASURED:
        raise ValueError(f"a latency model needs {LEAST_MEASURED} measured cuts, got {len(measured)}")
    points = list(measured.values())
    errors = [
        abs(_fit([point for j, point in enumerate(points) if j != i]).predict(counts) / ms - 1)
        for i, (counts, ms) in enumerate(points)
    ]
    model = _fit(points)
    return LatencyModel(model.weights, model.knots, model.factors, float(np.median(errors)), max(errors))


def _fit(points: list[tuple[Counts, float]]) -> LatencyModel:
    try:
        from scipy.optimize import nnls  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise MissingExtraError("scipy", "torch", "Predicting head latencies") from None
    counts = np.stack([point for point, _ in points])
    ms = np.array([value for _, value in points])
    # Unknowns are factors on a start where every MAC costs the same; the pull towards 1 decides about
    # kinds of operators that the few measured heads hardly contain.
    prior = _prior(counts, ms)
    system = np.vstack([counts * prior / ms[:, None], PULL * np.eye(len(KINDS))])
    factors, _ = nnls(system, np.concatenate([np.ones(len(ms)), PULL * np.ones(len(KINDS))]))
    weights = factors * prior
    model_ms = counts @ weights
    order = np.argsort(model_ms)
    return LatencyModel(weights, tuple(model_ms[order]), tuple((ms / model_ms)[order]), 0.0, 0.0)


def _prior(counts: Counts, ms: Counts) -> Counts:
    """Ms per count if every MAC cost the same, an element as much as 8 MACs and an operator as much as 20,000."""
    relative = np.ones(len(KINDS))
    relative[KINDS.index("moved_elements")] = 8
    relative[KINDS.index("operators")] = 20_000
    relative[KINDS.index("depthwise_macs")] = 4
    relative[KINDS.index("linear_macs")] = 4
    scale = np.median(ms / (counts @ relative))
    return relative * float(scale)
