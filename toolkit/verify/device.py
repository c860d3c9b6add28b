"""What a phone answered to the goldens, judged like any other runtime. The report is never trusted."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from ..errors import InputError
from ..records.parity import DeviceOutput, DeviceParityReport
from ..tasks._guess import task_of
from .codes import Codes
from .judging import judge
from .rows import Subject
from .task import end_to_end_row

if TYPE_CHECKING:
    from pathlib import Path

    from ..bundle import Bundle
    from ..records.parity import ParityRow
    from .replay import Array, Goldens

_MOST_BYTES = 2 << 30


def read_device_report(path: Path, bundle: Bundle) -> DeviceParityReport:
    """Read what a phone's parity screen wrote.

    Raises:
        InputError: no such file, not such a report, or one about another bundle.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; copy the parity report from the phone first.")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} is larger than any parity report; give the JSON file that the app wrote.")
    try:
        report = DeviceParityReport.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{path} is not a device parity report: {place}: {first['msg']}.") from None
    if report.bundle_id != bundle.manifest.bundle_id:
        raise InputError(
            f"{path} is about bundle {report.bundle_id[:12]}, this is {bundle.manifest.bundle_id[:12]}; "
            "copy this bundle to the phone and replay its goldens there."
        )
    return report


def device_rows(report: DeviceParityReport, bundle: Bundle, goldens: Goldens) -> list[ParityRow]:
    """Turn a phone's answers into rows of the parity table.

    Raises:
        InputError: an answer to other inputs than the goldens, or of another size.
    """
    groups: dict[tuple[str, str, str, str], dict[int, DeviceOutput]] = {}
    for output in report.outputs:
        key = output.target, output.precision, output.backend, output.runtime
        if groups.setdefault(key, {}).setdefault(output.index, output) is not output:
            raise InputError(f"The device report answers golden row {output.index} of {' '.join(key)} twice.")
    rows: list[ParityRow] = []
    for (target, precision, backend, runtime), outputs in groups.items():
        codes = _codes(bundle, target, precision, backend)
        subject = Subject(target, precision, backend, f"{report.device.model}: {runtime}", codes is not None)
        indices = sorted(outputs)
        got = np.concatenate([_features(outputs[index], goldens) for index in indices])
        logits = [outputs[index].logits for index in indices]
        rows += _judge(subject, bundle, goldens.take(indices), got, logits, codes)
    return rows


def _codes(bundle: Bundle, target: str, precision: str, backend: str) -> Codes | None:
    """Codes of the head that a phone ran, where it emits them; the report has the features that they stand for."""
    for head in bundle.manifest.heads:
        if (head.target, head.precision, head.backend) == (target, precision, backend):
            return Codes.of(head, bundle)
    return None


def _judge(
    subject: Subject,
    bundle: Bundle,
    goldens: Goldens,
    got: Array,
    logits: list[list[float] | None],
    codes: Codes | None,
) -> list[ParityRow]:
    if not goldens.real():
        raise InputError(f"The device report has no real image for {subject.target} {subject.precision}.")
    answers = got if codes is None else codes.of_features(got)
    rows = judge(bundle, subject, goldens, answers, codes=codes)
    answered = [logits[index] for index in goldens.real()]
    if all(values is not None for values in answered):
        classes = goldens.expected["logits"].shape[1]
        if any(len(values or []) != classes for values in answered):
            raise InputError(f"The device report has logits of another size than {classes}.")
        sent = np.asarray(answered, np.float32)
        agree = bool(rows[0].passed)
        rows.append(end_to_end_row(subject, goldens, sent, features_agree=agree, task=task_of(bundle.manifest)))
    return rows


def _features(output: DeviceOutput, goldens: Goldens) -> Array:
    """Decode one answer [1,c,h,w] after checking that it is about this golden row."""
    if output.index >= len(goldens.rows):
        raise InputError(f"The device report answers golden row {output.index}; there are {len(goldens.rows)}.")
    for name, claimed in (("image", output.image_sha256), ("eps", output.eps_sha256)):
        if name in goldens.inputs and claimed != _sha256(goldens.inputs[name][output.index]):
            raise InputError(
                f"The device report's {name} of golden row {output.index} is not this bundle's "
                "(its SHA-256 differs); replay the goldens of this bundle."
            )
    shape = goldens.smashed.shape[1:]
    try:
        data = base64.b64decode(output.smashed_base64, validate=True)
    except binascii.Error:
        raise InputError(f"The device report's features of golden row {output.index} are no base64.") from None
    if len(data) != 4 * int(np.prod(shape)):
        raise InputError(
            f"The device report's features of golden row {output.index} are {len(data)} bytes, "
            f"not float32 {list(shape)}."
        )
    return np.frombuffer(data, "<f4").reshape(1, *shape)


def _sha256(value: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(value, "<f4").tobytes()).hexdigest()
