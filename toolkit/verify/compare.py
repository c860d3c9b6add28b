"""How far apart two tensors are: largest absolute difference, SQNR, cosine, top-1 agreement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def max_abs(expected: Array, got: Array) -> float:
    """Largest absolute difference; infinite where anything is not finite."""
    difference = np.abs(expected.astype(np.float64) - got.astype(np.float64))
    return float(difference.max()) if np.isfinite(difference).all() else math.inf


def sqnr_db(expected: Array, got: Array) -> float:
    """Signal-to-quantisation-noise ratio in dB; infinite where both are the same, -inf where not finite."""
    signal = float(np.square(expected.astype(np.float64)).sum())
    noise = float(np.square(expected.astype(np.float64) - got.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return -math.inf
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def cosine(expected: Array, got: Array) -> float:
    """Cosine similarity of the flattened tensors."""
    left, right = expected.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / norm if norm > 0.0 else 0.0


def top1_agreement(expected: Array, got: Array) -> float:
    """Share of rows of logits [n,K] whose largest entry is the same."""
    return float((expected.argmax(1) == got.argmax(1)).mean())
