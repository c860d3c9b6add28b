"""What all targets share: the tensors' names, a head's description, and a runner's input check."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ._quiet import quiet
from .base import ConverterError, HeadProgram, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from .base import Array

#: the names a phone looks a head's tensors up by, in the head's own order
IMAGE, EPS, SMASHED = "image", "eps", "smashed"
#: how much wider than the pixels' range int8's is, see calibration(); less than a code
_OFF_GRID = 1 + 1 / 256


def input_names(head: HeadProgram) -> list[str]:
    """Names of the head's inputs, in the order of its `example`."""
    return [IMAGE] if head.eps is None else [IMAGE, EPS]


def describe(head: HeadProgram) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs (float32) and output (float32, or codes) of a head, batch 1."""
    import torch

    with torch.no_grad():
        smashed = head.backbone(head.image)
    inputs = zip(input_names(head), head.example(), strict=True)
    output = head.wire or TensorSpec(SMASHED, "float32", ())
    return (
        tuple(TensorSpec(name, "float32", tuple(value.shape)) for name, value in inputs),
        (replace(output, name=SMASHED, shape=tuple(smashed.shape)),),
    )


def with_float_codes(head: HeadProgram) -> HeadProgram:
    """The head with its codes, if it emits any, as whole numbers in float32."""
    return head if head.wire is None else replace(head, wire=replace(head.wire, dtype="float32"))


def exported(head: HeadProgram, target: str) -> ExportedProgram:
    """Export backbone and block as one program with inputs `image` and `eps`, in operators that the target knows."""
    return exported_module(head.module(), head.example(), target)


def exported_module(
    module: nn.Module, example: tuple[Tensor, ...] | Mapping[str, Tensor], target: str
) -> ExportedProgram:
    """Export a module in the form that a converter takes, see plain/.

    Raises:
        ConverterError: it has an operator that this target cannot express.
    """
    import torch

    from .plain import plain

    program = plain(module, example, target)
    for node in program.graph.nodes:
        # torch leaves a pooling's stride out where it equals the window; Core ML's converters want it
        if node.target == torch.ops.aten.max_pool2d.default and len(node.args) == 2:
            node.args = (*node.args, node.args[1])
    return program


def calibration(head: HeadProgram) -> Sequence[Tensor]:
    """Return the images that int8 is calibrated with, and after them one that is very slightly brighter.

    A range that is just the pixels' own puts every pixel value of an image in [-1, 1] half way between two codes, and
    runtimes disagree which way to round those (tflite-runtime 2.14 and LiteRT 2.3 do). Slightly wider, none is a tie.

    Raises:
        ConverterError: there are none.
    """
    if not head.calibration:
        raise ConverterError("int8 needs real images to calibrate with and was given none; name some data.")
    brightest = max(head.calibration, key=lambda image: float(image.abs().max()))
    return [*head.calibration, brightest * _OFF_GRID]


def versions(*distributions: str) -> dict[str, str]:
    """Versions of the packages that make a file, torch first."""
    return {name: importlib.metadata.version(name) for name in ("torch", *distributions)}


@contextmanager
def converting(target: str, precision: str) -> Iterator[None]:
    """Run a library's conversion silently; its failure becomes one sentence.

    Raises:
        ConverterError: the library failed.
    """
    try:
        with quiet():
            yield
    except ConverterError:
        raise
    except Exception as error:  # a converter library raises anything at all
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = (lines[0] if lines else type(error).__name__).rstrip(".:")[:300]
        raise ConverterError(
            f"This head cannot be expressed as {target} {precision} ({type(error).__name__}: {reason}); "
            "choose another cut, precision or target, or replace that operator in the network."
        ) from error


@contextmanager
def reading(kind: str, entry: Path) -> Iterator[None]:
    """Read a file's graph; whatever its reader raises becomes one sentence.

    Raises:
        ConverterError: not such a file, or a damaged one.
    """
    try:
        yield
    except ConverterError:
        raise
    except Exception as error:  # readers of damaged files raise anything at all
        raise ConverterError(
            f"{entry} cannot be read as {kind} ({type(error).__name__}); convert the head again."
        ) from error


@contextmanager
def running(runtime: str, entry: Path) -> Iterator[None]:
    """Execute a file; whatever its runtime raises becomes one sentence.

    Raises:
        ConverterError: the runtime failed.
    """
    try:
        yield
    except ConverterError:
        raise
    except Exception as error:  # kernels raise anything at all
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:300]
        raise ConverterError(
            f"{runtime} failed while it ran {entry.name} ({reason}); convert the head for another precision, backend "
            "or cut, and see with verify --explain which operator departs."
        ) from error


def check_choice(target: str, kind: str, value: str, known: Sequence[str]) -> None:
    """Refuse a precision or backend that the target does not have.

    Raises:
        ConverterError: the message lists those it has.
    """
    if value not in known:
        raise ConverterError(f"{target} has no {kind} {value!r}; choose one of: {', '.join(known)}.")


def check_feed(given: Mapping[str, Array], expected: Mapping[str, Sequence[int]]) -> None:
    """Compare a runner's inputs with what its file takes.

    Raises:
        ConverterError: a name or a shape differs.
    """
    if given.keys() != expected.keys():
        raise ConverterError(
            f"This head takes the inputs {', '.join(expected)}; it was given {', '.join(given) or 'none'}."
        )
    for name, shape in expected.items():
        if tuple(given[name].shape) != tuple(shape):
            raise ConverterError(f"Input {name} has shape {tuple(given[name].shape)}; this head takes {tuple(shape)}.")
