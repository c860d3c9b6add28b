"""Engines: the tail's ONNX model on onnxruntime or OpenVINO, one thread per run, precision always explicit."""

from __future__ import annotations

import importlib.util
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from .errors import EngineError

if TYPE_CHECKING:
    from .archive import Archive
    from .wire import Floats

ENGINES = ("onnxruntime", "openvino")
PRECISIONS = ("f32", "bf16", "int8")


class Engine(Protocol):
    """A loaded model; `run` may be called from several threads at once."""

    def run(self, features: Floats) -> Floats:
        """Turn features [n,C,h,w] into logits [n,K]."""


def load_engine(archive: Archive, *, engine: str = "onnxruntime", precision: str = "f32") -> Engine:
    """Load an archive's model.

    Raises:
        EngineError: the engine or precision is unknown or not available here, or the model cannot be loaded.
    """
    if engine not in ENGINES:
        raise EngineError(f"Unknown engine {engine!r}; choose {' or '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise EngineError(f"Unknown precision {precision!r}; choose {', '.join(PRECISIONS)}.")
    if importlib.util.find_spec(engine) is None:
        extra = "tail" if engine == "onnxruntime" else "tail-openvino"
        raise EngineError(f"The engine {engine} is not installed; get it with: pip install 'pripro-toolkit[{extra}]'")
    model = archive.int8_model if precision == "int8" else archive.model
    if model is None:
        raise EngineError(
            "This archive has no int8 model; pack one with --tail-precision int8, or use --precision f32."
        )
    load = _Onnxruntime if engine == "onnxruntime" else _OpenVino
    return load(model, precision)


class _Onnxruntime:
    def __init__(self, model: bytes, precision: str) -> None:
        import onnxruntime

        if precision == "bf16":
            raise EngineError("onnxruntime has no bf16 on a CPU; use --engine openvino, or --precision f32.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exception types are private
            raise EngineError(
                f"onnxruntime cannot load the model ({_first_line(error)}); pack the archive again."
            ) from None
        inputs = [item.name for item in self._session.get_inputs()]
        outputs = [item.name for item in self._session.get_outputs()]
        if inputs != ["smashed"] or outputs != ["logits"]:
            raise EngineError(
                f"The model maps {inputs} to {outputs}, a tail maps smashed to logits; pack the archive again."
            )

    def run(self, features: Floats) -> Floats:
        logits: Floats = self._session.run(["logits"], {"smashed": features})[0]
        return logits


class _OpenVino:
    def __init__(self, model: bytes, precision: str) -> None:
        # this package reports usage to the vendor; without it OpenVINO uses its own silent stub
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino

        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineError("This CPU has no bf16 instructions; use --precision f32.")
        hint = "bf16" if precision == "bf16" else "f32"  # without a hint OpenVINO silently picks bf16
        settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        try:
            self._model = core.compile_model(core.read_model(model), "CPU", settings)
            self._own = threading.local()
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot load the model ({_first_line(error)}); pack the archive again."
            ) from None

    def run(self, features: Floats) -> Floats:
        request = getattr(self._own, "request", None)
        if request is None:  # one per thread: a request serves one run at a time
            request = self._own.request = self._model.create_infer_request()
        request.infer({"smashed": features}, share_inputs=True)
        logits: Floats = request.get_output_tensor(0).data.copy()
        return logits


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
