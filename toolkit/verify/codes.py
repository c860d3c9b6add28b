"""Heads that emit the wire's codes: what comparing them with eager torch's float features has to know.

A code stands for a range of features one step wide: up to half a step away from eager torch is rounding, not a
fault. What is left beyond half a step is judged by the same limits as a head that emits float32. Features past
the ends of the codes' range are cut there, on both sides of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cloud_tail.signature import CODED
from cloud_tail.wire import dequantise, quantise

from ..records.wire import emits_codes, wire_spec

if TYPE_CHECKING:
    from cloud_tail.signature import TensorSpec

    from ..bundle import Bundle
    from ..records import bundle as records
    from .replay import Array, Goldens

PAST_ROUNDING = " + code/2"


@dataclass(frozen=True)
class Codes:
    """The codes of one head: `scale` and `zero_point` are those of the tail's uint8 encoding.

    `levels`: how many there are behind a waist, where they are few and coarse; None: 256.
    """

    spec: TensorSpec
    levels: int | None = None

    @classmethod
    def of(cls, head: records.Head, bundle: Bundle) -> Codes | None:
        """Codes of a head that emits them, or None."""
        if not emits_codes(head):
            return None
        record = bundle.manifest.protection
        waist = None if record is None else record.waist
        return cls(wire_spec(head.outputs[0]), None if waist is None else waist.coding.levels[0])

    @property
    def encoding(self) -> str:
        """How clients send them."""
        return "uint8" if self.levels is None else CODED

    def to_send(self, answers: Array) -> Array:
        """A head's answers [n,c,h,w] as the wire carries them, uint8; every one is a whole number already."""
        return answers.astype(np.uint8)

    def features(self, answers: Array) -> Array:
        """What the tail makes of a head's answers [n,c,h,w]: float32 features."""
        return dequantise(self.to_send(answers), self.spec)

    def of_features(self, features: Array) -> Array:
        """Codes of features that were made from codes [n,c,h,w]: exactly those."""
        return quantise(features, self.spec)

    def within(self, features: Array, answers: Array, steps: float) -> Array:
        """Which codes [n,c,h,w] are those of features that lie at most so many steps away from `features`; bool."""
        away = steps * np.asarray(self.spec.scale, np.float32).reshape(1, -1, *([1] * (features.ndim - 2)))
        ends = (self.of_features(features - away), self.of_features(features + away))
        found: Array = (answers >= ends[0]) & (answers <= ends[1])
        return found

    def cut(self, goldens: Goldens) -> Goldens:
        """The goldens with eager torch's features limited to what codes can express."""
        top = 255 if self.levels is None else self.levels - 1
        ends = (dequantise(np.full((1, *goldens.smashed.shape[1:]), end, np.uint8), self.spec) for end in (0, top))
        limited = np.clip(goldens.smashed, *ends)
        return replace(goldens, expected={**goldens.expected, "smashed": limited})

    def rounded(self, goldens: Goldens) -> Goldens:
        """The goldens with what the tail makes of eager torch's features; of goldens that are cut already."""
        there = self.features(self.of_features(goldens.smashed))
        return replace(goldens, expected={**goldens.expected, "smashed": there})

    def without_rounding(self, expected: Array, got: Array) -> Array:
        """The features `got` [n,c,h,w] moved towards `expected` by half a step at most."""
        half = np.asarray(self.spec.scale, np.float32).reshape(1, -1, *([1] * (expected.ndim - 2))) / 2
        difference = got - expected
        moved: Array = expected + np.sign(difference) * np.maximum(np.abs(difference) - half, 0.0)
        return moved
