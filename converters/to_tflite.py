"""TFLite (LiteRT): a .tflite head with a signature that keeps the names of its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._heads import (
    SMASHED,
    check_choice,
    check_feed,
    converting,
    describe,
    exported_module,
    input_names,
    reading,
    running,
    versions,
)
from ._quiet import quiet
from ._tflite_quantise import to_fp16, to_int8
from ._tflite_upright import upright
from .base import Conversion, Converter, ConverterError, HeadProgram, Operator, PhoneRunner, Runner, Traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .base import Array


class TfliteRunner(Runner):
    """A .tflite head in LiteRT's interpreter, with its built-in XNNPACK kernels."""

    def __init__(self, entry: Path, threads: int) -> None:
        self._entry = entry
        try:
            with quiet():
                from ai_edge_litert.interpreter import Interpreter

                self._interpreter = Interpreter(model_path=str(entry), num_threads=threads)
                self._interpreter.allocate_tensors()
                self._call = self._interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:  # the latter of an operator that it has no kernel for
            raise ConverterError(
                f"LiteRT cannot open {entry} ({str(error).splitlines()[0]}); convert it again."
            ) from error
        self.shapes = {name: tuple(detail["shape"]) for name, detail in self._call.get_input_details().items()}

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once; see the base class."""
        check_feed(inputs, self.shapes)
        with running("LiteRT", self._entry):
            result: Array = self._call(**inputs)[SMASHED]
        return result


class ToTflite(Converter):
    """TFLite, for Android's LiteRT and small boards."""

    name = "tflite"
    extra = "tflite"
    precisions = ("fp32", "fp16", "int8")
    default_precision = "fp32"
    backends = ("cpu",)
    packages: ClassVar = {
        "torch": "torch",
        "litert_torch": "litert-torch",
        "ai_edge_litert": "ai-edge-litert",
        "ai_edge_quantizer": "ai-edge-quantizer",
    }
    runtime = "ai-edge-litert"
    apps: ClassVar = {"android": ("cpu",)}
    emulated: ClassVar = {"arm64": "python", "tflite-runtime": "python"}

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write head.tflite into `out`; see the base class."""
        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        entry = out / "head.tflite"
        with converting("TFLite", precision):
            import litert_torch

            from ._compose import NamedOutput

            feed = dict(zip(input_names(head), head.example(), strict=True))
            module = exported_module(NamedOutput(head.module()).eval(), feed, self.name).module()
            # a graph's mode cannot be changed, and litert-torch warns of modules in training mode
            module.training = False
            model = litert_torch.convert(module, sample_kwargs=feed)
            # its own export() ends the process when the disk is full
            entry.write_bytes(upright(model.model_content()))
            if precision == "fp16":
                to_fp16(entry)
            elif precision == "int8":
                to_int8(entry, head)
        inputs, outputs = describe(head)
        return Conversion(
            entry.name, inputs, outputs, None, None, versions("litert-torch", "ai-edge-litert", "ai-edge-quantizer")
        )

    def cannot_run(self, backend: str) -> str | None:
        """Say what keeps this backend from running here; see the base class."""
        return None

    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        """Open a converted file; see the base class."""
        return TfliteRunner(entry, threads)

    def phone_runner(self) -> PhoneRunner:
        """benchmark_model; see the base class."""
        from ._tflite_phone import BenchmarkModel

        return BenchmarkModel()

    def trace(self, entry: Path, inputs: Mapping[str, Array]) -> Sequence[Traced]:
        """Run once without delegates, all tensors kept; see the base class."""
        from ._tflite_inside import trace

        with running("LiteRT", entry):
            return trace(entry, inputs)

    def operators(self, entry: Path) -> Sequence[Operator]:
        """List the main graph's operators; see the base class."""
        from ._tflite_operators import operators

        with reading("TFLite", entry):
            return operators(entry)

    def refused(self, entry: Path, accelerator: str) -> Mapping[int, str] | None:
        """Ask what LiteRT's XNNPACK delegate leaves out; see the base class."""
        from ._tflite_operators import refused

        with reading("TFLite", entry):
            return refused(entry, accelerator)
