"""ONNX: a head, or a tail with any batch size, as one .onnx file for onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._heads import (
    SMASHED,
    check_choice,
    check_feed,
    converting,
    describe,
    exported,
    input_names,
    reading,
    running,
    versions,
)
from ._onnx_quantise import quantise_tail, to_fp16, to_int8
from .base import Conversion, Converter, ConverterError, HeadProgram, Operator, Runner, Traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from .base import Array

#: the newest operator set that every runtime of the last two years reads
OPSET = 20
LOGITS = "logits"


class OnnxRunner(Runner):
    """An .onnx head in onnxruntime, on the CPU."""

    def __init__(self, entry: Path, threads: int) -> None:
        import onnxruntime

        self._entry = entry
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(entry), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no root
            raise ConverterError(
                f"onnxruntime cannot open {entry} ({str(error).splitlines()[0]}); convert it again."
            ) from error
        self.shapes = {spec.name: spec.shape for spec in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once; see the base class."""
        check_feed(inputs, self.shapes)
        with running("onnxruntime", self._entry):
            result: Array = self._session.run([SMASHED], dict(inputs))[0]
        return result


class ToOnnx(Converter):
    """ONNX for onnxruntime and every other runtime that reads it."""

    name = "onnx"
    extra = "onnx"
    precisions = ("fp32", "fp16", "int8")
    default_precision = "fp32"
    backends = ("cpu",)
    packages: ClassVar = {
        "torch": "torch",
        "onnx": "onnx",
        "onnxscript": "onnxscript",
        "onnx_ir": "onnx-ir",
        "onnxruntime": "onnxruntime",
    }
    runtime = "onnxruntime"
    emulated: ClassVar = {"arm64": "python"}
    keeps_names = True

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write head.onnx into `out`; see the base class."""
        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        entry = out / "head.onnx"
        with converting("ONNX", precision):
            _write(exported(head, self.name), input_names(head), SMASHED, entry)
            if precision == "fp16":
                to_fp16(entry)
            elif precision == "int8":
                to_int8(entry, head)
        inputs, outputs = describe(head)
        return Conversion(entry.name, inputs, outputs, None, None, versions("onnx", "onnxscript", "onnxruntime"))

    def cannot_run(self, backend: str) -> str | None:
        """Say what keeps this backend from running here; see the base class."""
        return None

    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        """Open a converted file; see the base class."""
        return OnnxRunner(entry, threads)

    def trace(self, entry: Path, inputs: Mapping[str, Array]) -> Sequence[Traced]:
        """Run once with every value handed out; see the base class."""
        from ._onnx_inside import trace

        with running("onnxruntime", entry):
            return trace(entry, inputs)

    def operators(self, entry: Path) -> Sequence[Operator]:
        """List the graph's nodes; see the base class."""
        from ._onnx_operators import operators

        with reading("ONNX", entry):
            return operators(entry)

    def refused(self, entry: Path, accelerator: str) -> Mapping[int, str] | None:
        """Ask onnxruntime's usability checker for phones; see the base class."""
        from ._onnx_operators import refused

        with reading("ONNX", entry):
            return refused(entry, accelerator)

    def profile(self, entry: Path, inputs: Mapping[str, Array], runs: int) -> Mapping[str, tuple[int, float]]:
        """Read onnxruntime's profile of its kernels; see the base class."""
        from ._onnx_inside import profile

        return profile(entry, inputs, runs)


def export_tail(tail: nn.Module, smashed_example: Tensor, out: Path) -> Path:
    """Write a tail as one self-contained .onnx file: `smashed` [B,C,h,w] -> `logits` [B,K], any B.

    Args:
        tail: in eval mode.
        smashed_example: protected or plain smashed features of at least one image.
        out: the file to write.

    Raises:
        ConverterError: an operator of the tail has no ONNX form, or the tail fixes its batch size.
    """
    with converting("ONNX", "fp32"):
        import torch

        example = smashed_example[:1].expand(2, *smashed_example.shape[1:]).contiguous()
        batch = torch.export.Dim("batch", min=1)
        with torch.no_grad():
            program = torch.export.export(tail, (example,), dynamic_shapes=({0: batch},))
        _write(program, [SMASHED], LOGITS, out)
    return out


def tail_to_int8(model: Path, batches: Sequence[Array], out: Path) -> None:
    """Write a tail's int8 version beside it.

    Args:
        model: what `export_tail` wrote.
        batches: protected features [n,c,h,w] with their noise, to calibrate activations with.
        out: the file to write.

    Raises:
        ConverterError: onnxruntime cannot quantise this tail.
    """
    with converting("ONNX", "int8"):
        quantise_tail(model, batches, out)


def _write(program: ExportedProgram, inputs: list[str], output: str, path: Path) -> None:
    """Translate a program and save it as one file, weights inside."""
    import torch

    written = torch.onnx.export(
        program, (), dynamo=True, opset_version=OPSET, input_names=inputs, output_names=[output], verbose=False
    )
    if written is None:
        raise ConverterError("torch.onnx.export gave no program; check the torch and onnxscript versions.")
    written.save(str(path), external_data=False)
