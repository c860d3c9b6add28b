"""Replay the goldens on every head's real runtime and through the running tail, and judge on three levels.

numeric: do the numbers match eager torch's (numeric.py); privacy: is the noise as strong (privacy.py); task: do the
classes stay the same (task.py). What could not be run gets a row that does not count as a pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.base import ConverterError

from .. import plugins
from ..bundle import now_utc
from ..convert.heads import converter
from ..errors import BundleError, MovedDataError, UnknownNameError
from ..package.serving import serving
from ..records.machine import this_host
from ..records.parity import ParityReport, ParityRow
from ..tasks._guess import task_of
from .codes import Codes
from .elsewhere import arm64_rows, old_tflite_rows
from .judging import judge
from .replay import Goldens, load_goldens
from .rows import EVALUATOR, Subject
from .tail import tail_fault
from .task import TaskImages, end_to_end_row, load_task, task_row, through

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cloud_tail.client import TailClient

    from ..bundle import Bundle
    from ..records import bundle as records
    from ..records.machine import Device

#: called with (heads done, heads in all, text)
Progress = Callable[[int, int, str], None]


def verify(
    bundle: Bundle,
    tail: TailClient | None,
    *,
    targets: Sequence[str] | None = None,
    arm64: bool = False,
    tflite_compat: str | None = None,
    data: str | None = None,
    progress: Progress = lambda done, total, text: None,
) -> ParityReport:
    """Compare every head that can run here with eager torch, and its answers through the tail.

    Args:
        bundle: packaged.
        tail: the running tail, or None to compare heads only.
        targets: only these, or None for all.
        arm64: also run heads on emulated aarch64 kernels.
        tflite_compat: also run .tflite heads on that old version of tflite-runtime, such as "2.14".
        data: where the photos are now that the bundle was protected with; None: where they were.
        progress: called with (heads done, heads in all, text).

    Raises:
        BundleError: no goldens, no heads, or a file that was changed.
        MissingExtraError: a head's runtime is not installed.
        UnknownNameError: a target that the bundle has no head for.
    """
    bundle.check_files()
    goldens = load_goldens(bundle)
    heads = chosen_heads(bundle, targets)
    progress(0, len(heads), "test images")
    fault = None if tail is None else tail_fault(bundle, tail)
    usable = None if fault is not None else tail
    rows: list[ParityRow] = [] if fault is None else [fault]
    task = None
    try:
        task = None if usable is None else load_task(bundle, data)
    except MovedDataError as error:  # every other row stands without them
        rows.append(Subject("task", "", "", "none").not_run(str(error)))
    for number, head in enumerate(heads):
        progress(number, len(heads), f"{head.target} {head.precision}")
        rows += _verify_head(bundle, head, goldens, task, usable)
        if arm64:
            progress(number, len(heads), f"{head.target} {head.precision} on aarch64")
            rows += arm64_rows(bundle, head, goldens)
        if tflite_compat is not None:
            rows += old_tflite_rows(bundle, head, goldens, tflite_compat)
    progress(len(heads), len(heads), "verified")
    return report_of(bundle, rows)


def verify_bundle(
    bundle: Bundle,
    tail: str | None = None,
    token: str | None = None,
    *,
    targets: Sequence[str] | None = None,
    arm64: bool = False,
    tflite_compat: str | None = None,
    data: str | None = None,
    progress: Progress = lambda done, total, text: None,
) -> ParityReport:
    """Verify with the tail at URL `tail`, or with the bundle's own, served for the occasion.

    Raises:
        as `verify`.
        ServerError: the bundle's own tail did not start.
    """
    from cloud_tail.client import TailClient

    with contextlib.ExitStack() as stack:
        url = tail or stack.enter_context(serving(bundle))
        client = stack.enter_context(TailClient(url, token, bundle_id=bundle.manifest.bundle_id))
        return verify(
            bundle, client, targets=targets, arm64=arm64, tflite_compat=tflite_compat, data=data, progress=progress
        )


def chosen_heads(bundle: Bundle, targets: Sequence[str] | None) -> list[records.Head]:
    """Return the bundle's heads of these targets, of all where None.

    Raises:
        BundleError: there is no head at all.
        UnknownNameError: a target that the bundle has no head for.
    """
    every = bundle.manifest.heads
    if not every:
        raise BundleError(
            f"{bundle.root} has no converted heads to verify; run: pripro convert {bundle.root} --to onnx"
        )
    for target in targets or []:
        if target not in {head.target for head in every}:
            raise UnknownNameError(f"head in {bundle.root}", target, {head.target for head in every})
    return [head for head in every if targets is None or head.target in targets]


def report_of(bundle: Bundle, rows: Iterable[ParityRow], device: Device | None = None) -> ParityReport:
    """Collect rows that were made on `device`, this host by default.

    A row that was not run neither passes nor fails, but a report in which nothing ran is not a pass.
    """
    kept = list(rows)
    verdicts = [row.passed for row in kept]
    return ParityReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=device or this_host(),
        rows=kept,
        passed=False not in verdicts and True in verdicts,
    )


def _verify_head(
    bundle: Bundle, head: records.Head, goldens: Goldens, task: TaskImages | None, tail: TailClient | None
) -> list[ParityRow]:
    """One head's rows; a file that its runtime cannot open or run is a row that failed, and the others stand."""
    try:
        return _head_rows(bundle, head, goldens, task, tail)
    except ConverterError as error:
        return [Subject.of(head, head.target).failed(str(error))]


def _head_rows(
    bundle: Bundle, head: records.Head, goldens: Goldens, task: TaskImages | None, tail: TailClient | None
) -> list[ParityRow]:
    made_by = converter(head.target)
    plugins.check_installed(made_by, f"Running the {head.target} head")
    reason = head.not_run or made_by.cannot_run(head.backend)
    if reason:
        return [Subject.of(head, "none").not_run(reason)]
    entry = bundle.root / head.entry
    runner = made_by.load(entry)
    subject = Subject.of(head, (runner.title or head.target) if runner.is_real_runtime else EVALUATOR)
    codes = Codes.of(head, bundle)
    answers = goldens.replay(runner.run)
    if answers.shape != goldens.smashed.shape:
        return [subject.failed(_other_shape(answers, goldens))]
    rows = judge(bundle, subject, goldens, answers, runner.run, codes)
    if tail is not None and not np.isfinite(answers).all():
        # a tail refuses such features by name, which would say nothing of where they come from
        rows.append(subject.failed("its features are not finite: see which operator departs with verify --explain"))
    elif tail is not None:
        # entropy-coded behind a waist: what phones send
        send = tail.infer if codes is None else lambda part: tail.infer(codes.to_send(part), codes.encoding)
        logits = through(send, answers[goldens.real()])
        agree = bool(rows[0].passed)
        rows.append(end_to_end_row(subject, goldens, logits, features_agree=agree, task=task_of(bundle.manifest)))
        if task is not None:
            rows.append(task_row(subject, task, through(send, task.replay(runner.run))))
    stand_in = made_by.stand_in(entry) if runner.is_real_runtime else None
    if stand_in is not None:  # a Mac shows Core ML and the evaluator that other machines go by
        second = goldens.replay(stand_in.run)
        if second.shape != goldens.smashed.shape:
            return [*rows, Subject.of(head, EVALUATOR).failed(_other_shape(second, goldens))]
        rows += judge(bundle, Subject.of(head, EVALUATOR), goldens, second, stand_in.run, codes)
    return rows


def _other_shape(answers: np.ndarray[tuple[int, ...], np.dtype[Any]], goldens: Goldens) -> str:
    found, due = list(answers.shape[1:]), list(goldens.smashed.shape[1:])
    return f"its features have the shape {found}, those of the bundle have {due}; convert the head again"
