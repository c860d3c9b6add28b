"""One line of the parity table: what it says, and about which head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..records.parity import ParityRow
from ..records.wire import emits_codes

if TYPE_CHECKING:
    from ..records import bundle as records
    from .statistics import Share

EVALUATOR = "reference evaluator, not the vendor's runtime"


@dataclass(frozen=True)
class Subject:
    """A head and what executed it.

    Attributes:
        runtime: such as "onnx", "tflite-runtime 2.14 on aarch64" or a phone's name.
        coded: whether it emits the wire's codes instead of float32 features.
    """

    target: str
    precision: str
    backend: str
    runtime: str
    coded: bool = False

    @classmethod
    def of(cls, head: records.Head, runtime: str) -> Subject:
        """A head of the bundle."""
        return cls(head.target, head.precision, head.backend, runtime, emits_codes(head))

    @property
    def kept(self) -> str:
        """The precision that the noise and the logits can be held to: codes cost fp32 what half precision would."""
        return "fp16" if self.coded and self.precision == "fp32" else self.precision

    def row(
        self,
        where: str,
        level: Literal["numeric", "privacy", "task", "none"],
        tolerance: str,
        passed: bool | None,
        *,
        n: int | None = None,
        max_abs: float | None = None,
        sqnr_db: float | None = None,
        cosine: float | None = None,
        agreement: Share | None = None,
        accuracy: Share | None = None,
        eager_accuracy: float | None = None,
        note: str = "",
    ) -> ParityRow:
        """Write a row; numbers that JSON cannot hold become null."""
        return ParityRow(
            target=self.target,
            precision=self.precision,
            backend=self.backend,
            where=where,
            runtime=self.runtime,
            max_abs=_finite(max_abs),
            sqnr_db=_finite(sqnr_db),
            top1_agree=None if agreement is None else agreement.value,
            tolerance=tolerance,
            passed=passed,
            note=note,
            level=level,
            n=n,
            cosine=_finite(cosine),
            top1_agree_interval=None if agreement is None else agreement.interval,
            accuracy=None if accuracy is None else accuracy.value,
            accuracy_interval=None if accuracy is None else accuracy.interval,
            eager_accuracy=eager_accuracy,
        )

    def failed(self, reason: str) -> ParityRow:
        """Say that there is nothing to compare because the head itself failed."""
        return self.row("run", "none", "none", False, note=reason)

    def not_run(self, reason: str) -> ParityRow:
        """Say that nothing was compared, which does not count as a pass."""
        return self.row("not run", "none", "none", None, note=reason)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
