"""What an .onnx head computes on its way, and where its time goes, as onnxruntime reports it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .base import Traced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Array


def trace(entry: Path, inputs: Mapping[str, Array]) -> list[Traced]:
    """Run once with every float value handed out; the values carry the exported graph's names."""
    import onnx
    import onnxruntime

    model = onnx.load(entry)
    known = {value.name for value in model.graph.output}
    made = [name for node in model.graph.node for name in node.output if name and name not in known]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in made)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # fusions would hide what lies between, and a fused operator that is wrong is still wrong in the shipped file
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [*made, *known]
    values = dict(zip(names, session.run(names, dict(inputs)), strict=True))
    floats = {name: value for name, value in values.items() if value.dtype.kind == "f"}
    return [
        Traced(node.op_type, tuple(node.input), {name: floats.get(name) for name in node.output})
        for node in model.graph.node
    ]


def profile(entry: Path, inputs: Mapping[str, Array], runs: int) -> dict[str, tuple[int, float]]:
    """Mean ms per operator type over `runs` runs, from one JSON event per kernel and run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(str(entry), options, providers=["CPUExecutionProvider"])
        for _ in range(2):
            session.run(None, dict(inputs))
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(entry), options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text())
    calls: Counter[str] = Counter()
    micros: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            kind = event["args"]["op_name"]
            calls[kind] += 1
            micros[kind] += event["dur"]
    return {kind: (calls[kind] // runs, micros[kind] / runs / 1e3) for kind in calls}
