"""ExecuTorch: a .pte head, whole in one XNNPACK delegate by default."""

from __future__ import annotations

import importlib.util
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._delegable import decoded_for_each, delegable, padded_codes
from ._executorch_operators import lowered_operators, operators
from ._heads import (
    EPS,
    IMAGE,
    calibration,
    check_choice,
    check_feed,
    converting,
    describe,
    exported,
    exported_module,
    reading,
    running,
    versions,
    with_float_codes,
)
from ._quiet import quiet
from .base import Conversion, Converter, ConverterError, HeadProgram, Operator, PhoneRunner, Runner, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn
    from torch.export import ExportedProgram

    from .base import Array

_NOT_HERE = {
    "coreml": "the Core ML delegate runs on Apple devices only",
    "vulkan": "the Vulkan delegate runs on devices with a Vulkan driver and a runtime built with it",
}


@dataclass(frozen=True)
class Lowering:
    """How much of a lowered program its delegates took.

    Attributes:
        delegates: calls into a backend; 1 = nothing in between.
        delegated: operators inside of them.
        outside: operators left to the portable kernels, by name.
    """

    delegates: int
    delegated: int
    outside: Mapping[str, int]

    @property
    def total(self) -> int:
        """All operators."""
        return self.delegated + sum(self.outside.values())


def count_operators(graph_module: Any) -> Lowering:  # noqa: ANN401 - the library ships no types
    """Count the operators of a lowered program's graph, inside and outside its delegates."""
    found = lowered_operators(graph_module)
    inside = [each.partition for each in found if each.partition is not None]
    outside = Counter(each.kind for each in found if each.partition is None)
    return Lowering(len(set(inside)), len(inside), dict(outside))


class _Pool:
    """ExecuTorch's one thread pool. Loaded methods point into it, so a resized pool outdates them."""

    generation = 0

    @classmethod
    def ensure(cls, threads: int) -> int:
        """Resize the pool where needed; return which pool it is."""
        from executorch.extension.pybindings import portable_lib

        if portable_lib._threadpool_get_thread_count() != threads:
            portable_lib._unsafe_reset_threadpool(threads)
            cls.generation += 1
        return cls.generation


class ExecutorchRunner(Runner):
    """A .pte head in ExecuTorch's own runtime."""

    def __init__(self, entry: Path, threads: int) -> None:
        self._entry, self._threads = entry, threads
        self._load()
        metadata = self._method.metadata
        shapes = [tuple(metadata.input_tensor_meta(index).sizes()) for index in range(metadata.num_inputs())]
        # a .pte keeps the order of its inputs, not their names
        self.shapes = dict(zip((IMAGE, EPS), shapes, strict=False))

    def _load(self) -> None:
        with quiet():
            from executorch.runtime import Runtime

            self._pool = _Pool.ensure(self._threads)
            try:
                program = Runtime.get().load_program(self._entry)
                self._method = program.load_method("forward")
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                raise ConverterError(f"ExecuTorch cannot open {self._entry} ({reason}); convert it again.") from error
        self._program = program  # the method points into it

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Execute once; see the base class."""
        return self.run_all(inputs)[0]

    def run_all(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Execute once and return every output of the file."""
        import torch

        check_feed(inputs, self.shapes)
        if _Pool.ensure(self._threads) != self._pool:
            self._load()
        feed = [torch.from_numpy(inputs[name]) for name in self.shapes]
        with running("ExecuTorch", self._entry):
            return [output.numpy() for output in self._method.execute(feed)]


class ToExecutorch(Converter):
    """ExecuTorch, for the native app on Android and iOS."""

    name = "executorch"
    extra = "executorch"
    precisions = ("fp32", "int8")
    default_precision = "fp32"
    backends = ("xnnpack", "portable", "coreml", "vulkan")
    packages: ClassVar = {"torch": "torch", "executorch": "executorch", "torchao": "torchao"}
    runtime = "executorch"
    apps: ClassVar = {"android": ("xnnpack", "portable"), "ios": ("xnnpack", "portable", "coreml")}
    emulated: ClassVar = {"arm64": "pte_run"}

    def convert(self, head: HeadProgram, out: Path, *, precision: str, backend: str) -> Conversion:
        """Write head.pte into `out`; see the base class."""
        check_choice(self.name, "precision", precision, self.precisions)
        check_choice(self.name, "backend", backend, self.backends)
        entry = out / "head.pte"
        with converting("ExecuTorch", precision):
            lowered = lower(head, precision, backend)
            counts = count_operators(lowered.exported_program().graph_module)
            _write(lowered, entry)
        inputs, outputs = describe(with_float_codes(head))
        return Conversion(
            entry.name,
            inputs,
            outputs,
            counts.delegated,
            counts.total,
            versions("executorch", "torchao"),
            self.cannot_run(backend),
        )

    def cannot_run(self, backend: str) -> str | None:
        """Say what keeps this backend from running here; see the base class."""
        return _NOT_HERE.get(backend)

    def load(self, entry: Path, *, threads: int = 1) -> Runner:
        """Open a converted file; see the base class."""
        return ExecutorchRunner(entry, threads)

    def operators(self, entry: Path) -> Sequence[Operator]:
        """List what the file calls: each delegate as one, kernels by name; see the base class."""
        with quiet(), reading("ExecuTorch", entry):
            return operators(entry)

    def partitioned(self, head: HeadProgram, *, precision: str, backend: str) -> Sequence[Operator]:
        """Lower the head once more; see the base class."""
        if backend == "coreai":  # no backend of convert's: its files open on Apple's systems of 2026 only
            return _coreai_parts(head, precision)
        with converting("ExecuTorch", precision):
            return lowered_operators(lower(head, precision, backend).exported_program().graph_module)

    def phone_runner(self) -> PhoneRunner:
        """executor_runner; see the base class."""
        from ._executorch_phone import ExecutorRunner

        return ExecutorRunner()

    def profile(self, entry: Path, inputs: Mapping[str, Array], runs: int) -> Mapping[str, tuple[int, float]]:
        """Read an ETDump down to the delegate's own kernels; see the base class."""
        from ._executorch_profile import collect

        return collect(entry, inputs, runs)

    def steps(self, head: HeadProgram, inputs: Mapping[str, Array], *, precision: str, backend: str) -> Steps:
        """Convert once more and run with every operator's result handed out; see the base class."""
        from ._steps import with_steps

        with tempfile.TemporaryDirectory() as folder:
            entry = Path(folder) / "head.pte"
            with converting("ExecuTorch", precision):
                opened, names, operators = with_steps(exported(_prepared(head, precision), self.name))
                _write(_lowered(exported_module(opened, head.example(), self.name), backend), entry)
            smashed, *results = ExecutorchRunner(entry, 1).run_all(inputs)
        return Steps(smashed, dict(zip(names, results, strict=True)), operators)


def lower(head: HeadProgram, precision: str, backend: str) -> Any:  # noqa: ANN401 - executorch ships no types
    """Export the head and give the backend's partitioner all that it takes.

    Returns:
        executorch.exir.EdgeProgramManager
    """
    return _lowered(exported(_prepared(head, precision), ToExecutorch.name), backend)


def _prepared(head: HeadProgram, precision: str) -> HeadProgram:
    """Quantise where that is wanted; codes stay float32.

    No delegate takes a cast to uint8, and the portable kernel's is slow: 14,000 codes cost a tenth of
    EfficientNet-Lite0's first fifth (benchmarks/privacy/photos). A client reads whole numbers faster.
    """
    head = with_float_codes(head)
    return replace(head, backbone=_quantised(head)) if precision == "int8" else head


def _lowered(program: ExportedProgram, backend: str) -> Any:  # noqa: ANN401 - executorch ships no types
    from executorch.exir import to_edge_transform_and_lower

    return to_edge_transform_and_lower(
        delegable(program), transform_passes=[padded_codes, decoded_for_each], partitioner=_partitioners(backend)
    )


def _write(lowered: Any, entry: Path) -> None:  # noqa: ANN401 - executorch ships no types
    with entry.open("wb") as stream:
        lowered.to_executorch().write_to_file(stream)


def _quantised(head: HeadProgram) -> nn.Module:
    """Quantise the backbone as a module of its own: int8 weights per channel, int8 activations per tensor.

    The block and eps stay float: int8 softmax has too little resolution for hundreds of positions, and
    calibration would clip eps. Naming the backbone to the quantiser inside the whole head does not work:
    it then leaves most convolutions in float.

    Ranges are the extremes seen, as for the other targets: the quantiser's own observer, a histogram, clips what
    is rare among the calibration images, and takes longer than all the rest of the conversion.
    """
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=True)
    extremes = replace(config.input_activation, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-12))
    config = replace(config, input_activation=extremes, output_activation=extremes)
    quantizer = XNNPACKQuantizer().set_global(config)
    with torch.no_grad():
        observed = prepare_pt2e(exported_module(head.backbone, (head.image,), ToExecutorch.name).module(), quantizer)
        for image in calibration(head):
            observed(image)
        quantised: nn.Module = convert_pt2e(observed)
    return quantised


def _coreai_parts(head: HeadProgram, precision: str) -> Sequence[Operator]:
    """Divide a head as ExecuTorch's Core AI delegate would.

    Raises:
        ConverterError: coreai-torch, which says what can be lowered, is not installed, or the head is int8.
    """
    from ._coreai_operators import divided

    if importlib.util.find_spec("coreai_torch") is None:
        raise ConverterError("coreai-torch says what this delegate takes; pip install 'pripro-toolkit[coreai]'.")
    if precision == "int8":
        raise ConverterError("codes made for XNNPACK are not Core AI's, which quantises with a package of its own.")
    with converting("ExecuTorch for Core AI", precision):
        return divided(exported(head, "coreai"))


def _partitioners(backend: str) -> list[Any]:
    if backend == "xnnpack":
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        return [XnnpackPartitioner()]
    if backend == "coreml":
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        return [CoreMLPartitioner()]
    if backend == "vulkan":
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return [VulkanPartitioner()]
    return []
