"""Replay the goldens on every head's real runtime, and through the running tail; one row per comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from .bundle import now_utc
from .convert import converter
from .errors import BundleError, MissingExtraError
from .measurement.condition import this_host
from .parity.compare import max_abs, sqnr_db, top1_agreement
from .reports import ParityReport, ParityRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloud_tail.client import TailClient
    from converters.base import Runner

    from . import manifest as records
    from .bundle import Bundle

    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

#: two draws of eps must differ by at least this share of the features' own spread
_LEAST_NOISE = 0.01
#: logits after a head of that precision: largest absolute difference and least top-1 agreement
_LOGITS = {"fp32": (1e-3, 1.0)}
_LEAST_AGREEMENT = 0.9


@dataclass(frozen=True)
class Goldens:
    """The bundle's replayed inputs and eager torch's answers, as numpy arrays by name."""

    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]

    def feed(self, index: int, eps: str = "eps") -> dict[str, Array]:
        """Build one head's inputs, batch 1."""
        feed = {"image": self.inputs["image"][index : index + 1]}
        if eps in self.inputs:
            feed["eps"] = self.inputs[eps][index : index + 1]
        return feed

    def __len__(self) -> int:
        return len(self.inputs["image"])


def load_goldens(bundle: Bundle) -> Goldens:
    """Read a bundle's goldens.

    Raises:
        BundleError: the bundle is not packaged yet.
    """
    golden = bundle.manifest.golden
    if golden is None:
        raise BundleError(f"{bundle.root} has no goldens yet; run: pripro package {bundle.root}")
    return Goldens(load_file(bundle.path(golden.inputs)), load_file(bundle.path(golden.expected)))


def verify(
    bundle: Bundle,
    tail: TailClient | None,
    *,
    targets: Sequence[str] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> ParityReport:
    """Compare every head that can run here with eager torch, and its answers through the tail.

    Args:
        bundle: packaged.
        tail: the running tail, or None to compare heads only.
        targets: only these, or None for all.
        progress: called with (heads done, heads in all, text).

    Raises:
        BundleError: no goldens, no heads, or a file that was changed.
        MissingExtraError: a head's runtime is not installed.
    """
    bundle.check_files()
    goldens = load_goldens(bundle)
    heads = [head for head in bundle.manifest.heads if targets is None or head.target in targets]
    if not heads:
        raise BundleError(
            f"{bundle.root} has no converted heads to verify; run: pripro convert {bundle.root} --to onnx"
        )
    rows: list[ParityRow] = []
    for number, head in enumerate(heads):
        progress(number, len(heads), f"{head.target} {head.precision}")
        rows += _verify_head(bundle, head, goldens, tail)
    progress(len(heads), len(heads), "verified")
    return ParityReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=this_host(),
        rows=rows,
        passed=all(row.passed for row in rows),
    )


def _verify_head(bundle: Bundle, head: records.Head, goldens: Goldens, tail: TailClient | None) -> list[ParityRow]:
    made_by = converter(head.target)
    lacking = made_by.missing()
    if lacking is not None:
        raise MissingExtraError(lacking, made_by.extra, f"Running the {head.target} head")
    reason = head.not_run or made_by.cannot_run(head.backend)
    if reason:
        return [_row(head, "not run", "none", math.nan, None, None, "none", True, reason)]
    runner = made_by.load(bundle.root / head.entry)
    got = np.concatenate([runner.run(goldens.feed(index)) for index in range(len(goldens))])
    rows = [_numeric(bundle, head, runner, goldens, got)]
    if "eps_other" in goldens.inputs:
        rows.append(_noise(head, runner, goldens, got))
    if tail is not None:
        rows.append(_end_to_end(head, runner, goldens, tail.infer(got)))
    return rows


def _numeric(bundle: Bundle, head: records.Head, runner: Runner, goldens: Goldens, got: Array) -> ParityRow:
    expected = goldens.expected["smashed"]
    golden = bundle.manifest.golden
    limit = (golden.tolerances if golden else {}).get(head.precision, 1e-4)
    worst, sqnr = max_abs(expected, got), sqnr_db(expected, got)
    if head.precision == "fp32":
        return _row(head, "head", _runtime(runner, head), worst, sqnr, None, f"max_abs <= {limit:g}", worst <= limit)
    return _row(head, "head", _runtime(runner, head), worst, sqnr, None, f"sqnr_db >= {limit:g}", sqnr >= limit)


def _noise(head: records.Head, runner: Runner, goldens: Goldens, got: Array) -> ParityRow:
    """Another eps must give another output, as different as eager torch's."""
    other = runner.run(goldens.feed(0, "eps_other"))
    change = max_abs(got[:1], other)
    spread = float(goldens.expected["smashed"][0].std())
    least = _LEAST_NOISE * spread
    return _row(
        head, "two draws of eps", _runtime(runner, head), change, None, None, f"max_abs >= {least:.3g}", change >= least
    )


def _end_to_end(head: records.Head, runner: Runner, goldens: Goldens, logits: Array) -> ParityRow:
    expected = goldens.expected["logits"]
    limit, least = _LOGITS.get(head.precision, (math.inf, _LEAST_AGREEMENT))
    worst, agree = max_abs(expected, logits), top1_agreement(expected, logits)
    text = f"top1 >= {least:g}" + (f", max_abs <= {limit:g}" if math.isfinite(limit) else "")
    passed = worst <= limit and agree >= least
    return _row(head, "end-to-end", _runtime(runner, head), worst, sqnr_db(expected, logits), agree, text, passed)


def _runtime(runner: Runner, head: records.Head) -> str:
    return head.target if runner.is_real_runtime else "reference evaluator, not the vendor's runtime"


def _row(
    head: records.Head,
    where: str,
    runtime: str,
    worst: float,
    sqnr: float | None,
    agree: float | None,
    tolerance: str,
    passed: bool,
    note: str = "",
) -> ParityRow:
    return ParityRow(
        target=head.target,
        precision=head.precision,
        backend=head.backend,
        where=where,
        runtime=runtime,
        max_abs=worst if math.isfinite(worst) else None,
        sqnr_db=sqnr if sqnr is not None and math.isfinite(sqnr) else None,
        top1_agree=agree,
        tolerance=tolerance,
        passed=passed,
        note=note or ("" if math.isfinite(worst) else "values that are not finite"),
    )
