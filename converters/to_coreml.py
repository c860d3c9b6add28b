"""Core ML: an .mlpackage head (ML program) for iOS 16 and later."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ._heads import (
    SMASHED,
    check_choice,
    check_feed,
    converting,
    describe,
    exported,
    reading,
    running,
    versions,
    with_float_codes,
)
from ._quiet import quiet
from .base import Conversion, Converter, ConverterError, HeadProgram, Operator, Runner, Traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .base import Array

#: the least number that half precision holds in full
_LEAST_HALF = 2.0**-14


class CoremlRunner(Runner):
    """An .mlpackage head in Core ML itself; macOS only."""

    def __init__(self, entry: Path) -> None:
        self._entry = entry
        with quiet():
            import coremltools

            self._model = coremltools.models.MLModel(str(entry), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        self.shapes = _shapes(self._model.get_spec())

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once; see the base class."""
        check_feed(inputs, self.shapes)
        with running("Core ML", self._entry):
            result: Any = self._model.predict(dict(inputs))[SMASHED]
        array: Array = result
        return array


class ReferenceRunner(Runner):
    """An .mlpackage head evaluated operator by operator: not Core ML, but the saved file and nothing else."""

    is_real_runtime = False

    def __init__(self, entry: Path) -> None:
        from .coreml_reference import load_program

        self._program = load_program(entry)  # without coremltools, whose import takes 9 s
        self.shapes = {
            name: tuple(-1 if size is None else size for size in kind.shape)
            for name, kind in self._program.inputs.items()
        }

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Evaluate once; see the base class."""
        check_feed(inputs, self.shapes)
        made = self._program.run(inputs)
        return made[SMASHED] if isinstance(made, dict) else made


class ToCoreml(Converter):
    """Core ML, for apps that use Apple's own runtime."""

    name = "coreml"
    extra = "coreml"
    precisions = ("fp32", "fp16", "w8", "w6", "w4")
    default_precision = "fp16"
    backends = ("mlprogram",)
    packages: ClassVar = {"torch": "torch", "coremltools": "coremltools"}
    runtime = "coremltools"
    apps: ClassVar = {"ios": ("mlprogram",)}
    keeps_names = True

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write head.mlpackage into `out`; see the base class."""
        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        entry = out / "head.mlpackage"
        head = with_float_codes(head)  # Core ML has no uint8 output: float16, float32, double, int32
        with converting("Core ML", precision):
            import coremltools
            import numpy as np

            model = coremltools.convert(
                exported(_half_precision_steps(head), self.name).run_decompositions({}),
                convert_to="mlprogram",
                minimum_deployment_target=coremltools.target.iOS16,
                compute_precision=coremltools.precision.FLOAT32
                if precision == "fp32"
                else coremltools.precision.FLOAT16,
                # without a type here the name is automatic and fp16 programs emit fp16
                outputs=[coremltools.TensorType(SMASHED, dtype=np.float32)],
                skip_model_load=True,
            )
            _compress(model, precision).save(str(entry))
        inputs, outputs = describe(head)
        return Conversion(entry.name, inputs, outputs, None, None, versions("coremltools"))

    def cannot_run(self, backend: str) -> str | None:
        """Say what keeps this backend from running here; see the base class."""
        return None

    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        """Open on Core ML (macOS), else on the reference evaluator. Core ML chooses its threads itself."""
        if not entry.is_dir():
            raise ConverterError(f"{entry} is not an .mlpackage folder; convert the head again.")
        return CoremlRunner(entry) if sys.platform == "darwin" else ReferenceRunner(entry)

    def trace(self, entry: Path, inputs: Mapping[str, Array]) -> Sequence[Traced]:
        """Evaluate once, operator by operator; a saved program keeps the graph's names. See the base class."""
        from .coreml_reference import load_program

        program = load_program(entry)
        return [
            Traced(program.kind_of(name), tuple(map(_plain, program.inputs_of(name))), {_plain(name): value})
            for name, value in program.trace(inputs).items()
        ]

    def operators(self, entry: Path) -> Sequence[Operator]:
        """List the saved program's operators; see the base class."""
        from .coreml_reference.listing import operators

        with reading("Core ML", entry):
            return operators(entry)

    def stand_in(self, entry: Path) -> Runner | None:
        """Open on the reference evaluator, wherever this runs."""
        return ReferenceRunner(entry)


def _plain(name: str) -> str:
    """A tensor's name in the exported graph; an input's casts carry the input's own."""
    return name.removesuffix("_cast_fp16").removesuffix("_to_fp16")


def _half_precision_steps(head: HeadProgram) -> HeadProgram:
    """Keep steps from vanishing in half precision, where they would be divisions by zero."""
    if head.wire is None or head.wire.scale is None:
        return head
    steps = tuple(max(step, _LEAST_HALF) for step in head.wire.scale)
    return replace(head, wire=replace(head.wire, scale=steps))


def _compress(model: Any, precision: str) -> Any:  # noqa: ANN401 - coremltools ships no types
    """Compress the backbone's weights: w8 linear per channel, w6 and w4 as palettes.

    Everything is computed in half precision, as Apple's accelerators do, and the block's weights stay as they
    are: exact noise is worth more than the block's few kilobytes.
    """
    from coremltools.optimize import coreml as optimize

    if precision not in {"w8", "w6", "w4"}:
        return model
    scheme: Any
    if precision == "w8":
        scheme, compress = optimize.OpLinearQuantizerConfig(mode="linear_symmetric"), optimize.linear_quantize_weights
    else:
        scheme = optimize.OpPalettizerConfig(mode="kmeans", nbits=int(precision[1]))
        compress = optimize.palettize_weights
    names = optimize.get_weights_metadata(model, weight_threshold=0)
    kept = {name: None for name in names if name.startswith(("p_block_", "b_block_"))}
    return compress(
        model, optimize.OptimizationConfig(op_type_configs={"conv": scheme, "linear": scheme}, op_name_configs=kept)
    )


def _shapes(spec: Any) -> dict[str, tuple[int, ...]]:  # noqa: ANN401 - the library ships no types
    return {entry.name: tuple(entry.type.multiArrayType.shape) for entry in spec.description.input}
