"""The operators of an .onnx head, and which of them onnxruntime's own checker for phones refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ._operators import Operator, Value

if TYPE_CHECKING:
    from pathlib import Path


def operators(entry: Path) -> list[Operator]:
    """Operators in the file's order, with the types and shapes that ONNX's own inference finds.

    What only constants lead to is constant too, such as int8 weights behind DequantizeLinear.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(entry)).graph
    known = {each.name: _value(each) for each in (*graph.value_info, *graph.input, *graph.output)}
    for tensor in graph.initializer:
        known[tensor.name] = Value(tensor.name, _type(tensor.data_type), tuple(tensor.dims), constant=True)
    found = []
    for node in graph.node:
        inputs, outputs = (
            [known.get(n, Value(n, "", None)) for n in names if n] for names in (node.input, node.output)
        )
        if all(value.constant for value in inputs):
            outputs = [replace(value, constant=True) for value in outputs]
            known.update({value.name: value for value in outputs})
        if node.op_type != "Constant":
            settings = {each.name: _attribute(each) for each in node.attribute}
            name = node.name or node.output[0]
            found.append(Operator(node.op_type, name, tuple(inputs), tuple(outputs), settings))
    return found


def refused(entry: Path, backend: str) -> dict[int, str] | None:
    """Positions among `operators` that onnxruntime's usability checker leaves to the CPU; None: it knows no such EP."""
    import onnx
    from onnxruntime.tools.mobile_helpers import usability_checker

    model = onnx.shape_inference.infer_shapes(onnx.load(entry))
    # heads have fixed shapes; the checker would take an optional input that is left out for one without
    fixed = False
    if backend == "nnapi":
        found = usability_checker.check_nnapi_partitions(model, fixed)
    elif backend == "coreml":
        table = "coreml_supported_mlprogram_ops.md"
        found = usability_checker.check_coreml_partitions(model, fixed, table)
    else:
        return None
    taken = {node.output[0] for group in found.supported_groups for node in group}
    kept = [node for node in model.graph.node if node.op_type != "Constant"]
    return {
        place: "onnxruntime's usability checker leaves it to the CPU"
        for place, node in enumerate(kept)
        if node.output[0] not in taken
    }


def _value(info: Any) -> Value:  # noqa: ANN401 - a protobuf message
    tensor = info.type.tensor_type
    shape = tuple(each.dim_value if each.HasField("dim_value") else -1 for each in tensor.shape.dim)
    return Value(info.name, _type(tensor.elem_type), shape if tensor.HasField("shape") else None)


def _type(number: int) -> str:
    import onnx

    name = str(onnx.TensorProto.DataType.Name(number)).lower()
    return "float32" if name == "float" else name


def _attribute(attribute: Any) -> object:  # noqa: ANN401 - a protobuf message
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value
