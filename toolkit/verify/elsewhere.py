"""The same file on other kernels: the phone's instruction set, and runtimes that older devices have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converters.base import ConverterError

from ..convert.heads import converter
from ..errors import ToolError, UnknownNameError
from ..package.cases import NO_NOISE, OTHER_DRAW, SATURATED, SPECKLE, SWINGING
from .codes import Codes
from .compare import max_abs
from .judging import judge
from .rows import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bundle import Bundle
    from ..records import bundle as records
    from ..records.parity import ParityRow
    from .replay import Array, Goldens

    Run = Callable[[dict[str, Array]], Array]

#: an emulated run takes seconds: one photo with every noise, one hard image
_ROWS = (OTHER_DRAW, NO_NOISE, SWINGING, SATURATED, SPECKLE)
#: kernels for another processor add in another order
_ROUNDING = 1e-4


def arm64_rows(bundle: Bundle, head: records.Head, goldens: Goldens) -> list[ParityRow]:
    """Run a head on aarch64 kernels under qemu-user and compare with eager torch and with this host.

    Raises:
        InputError: the emulated system is not set up; names the command that does it.
    """
    from ..emulated.arm64 import run_head

    how = converter(head.target).emulated.get("arm64")
    if how is None:
        return []
    if how != "python" and head.outputs[0].dtype != "float32":
        reason = f"{how}, which runs these files there, reads float32 outputs only; convert the head again"
        return [Subject.of(head, f"{head.target} on aarch64").not_run(reason)]
    entry = bundle.root / head.entry
    return _rows(bundle, head, goldens, f"{head.target} on aarch64", lambda feed: run_head(head.target, entry, feed))


def old_tflite_rows(bundle: Bundle, head: records.Head, goldens: Goldens, version: str) -> list[ParityRow]:
    """Run a .tflite head on an old tflite-runtime, in an environment of its own, and compare in the same way.

    Raises:
        UnknownNameError: no such version.
        InputError: it is not set up; names the command that does it.
    """
    from ..emulated.tflite_compat import VERSIONS, run_head

    if version not in VERSIONS:
        raise UnknownNameError("old tflite-runtime", version, VERSIONS)
    if "tflite-runtime" not in converter(head.target).emulated:
        return []
    entry = bundle.root / head.entry
    return _rows(bundle, head, goldens, f"{head.target} {version}", lambda feed: run_head(version, entry, feed))


def _rows(bundle: Bundle, head: records.Head, goldens: Goldens, runtime: str, run: Run) -> list[ParityRow]:
    subject, codes = Subject.of(head, runtime), Codes.of(head, bundle)
    made_by = converter(head.target)
    if head.not_run or made_by.cannot_run(head.backend):
        return [subject.not_run(head.not_run or made_by.cannot_run(head.backend) or "")]
    few = goldens.take([0, *(index for row in _ROWS if (index := goldens.find(row)) is not None)])
    try:
        here = few.replay(made_by.load(bundle.root / head.entry).run)
        there = few.replay(run)
    except (ConverterError, ToolError) as error:  # the other heads' rows stand
        return [subject.failed(str(error))]
    return [*judge(bundle, subject, few, there, codes=codes), _against_this_host(subject, here, there)]


def _against_this_host(subject: Subject, here: Array, there: Array) -> ParityRow:
    """Bit by bit; other kernels may round, so a difference alone is no failure, a large one is.

    Features that differ in their last digit may fall to either side of a code's border.
    """
    worst = max_abs(here, there)
    same = np.array_equal(here, there)
    rounding = 1.0 if subject.coded else _ROUNDING * max(1.0, float(np.abs(here).max()))
    allowed = rounding if subject.precision == "fp32" else np.inf
    return subject.row(
        "as on this host",
        "numeric",
        "bits, or rounding",
        worst <= allowed and bool(np.isfinite(there).all()),
        n=len(here),
        max_abs=worst,
        note="bit-identical" if same else f"differs by at most {worst:.2g}",
    )
