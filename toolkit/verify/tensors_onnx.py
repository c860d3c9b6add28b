"""Intermediate results of an .onnx head: the same file with every value handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .eager import pairs_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .eager import EagerLayer, Pair
    from .replay import Array

_OUTPUT = "smashed"


def read(entry: Path, feed: Mapping[str, Array], eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    """Run once; this file's results beside eager torch's, in the file's order. `threshold`: see pairs_by_name."""
    import onnx
    import onnxruntime

    model = onnx.load(entry)
    last = list(eager)[-1]
    known = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name in eager and name not in known]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # fusions would hide what lies between, and a fused operator that is wrong is still wrong in the shipped file
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run([*names, _OUTPUT], dict(feed))
    return pairs_by_name(dict(zip([*names, last], values, strict=True)), eager, threshold)
