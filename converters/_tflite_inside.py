"""What a .tflite head computes on its way. The file keeps no operator names: tensors are named by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._quiet import quiet
from .base import Traced

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .base import Array


#: these only move or recode values, or hide what they do
_MOVES = {
    "TRANSPOSE", "RESHAPE", "PAD", "PADV2", "QUANTIZE", "DEQUANTIZE", "STRIDED_SLICE", "SLICE", "EXPAND_DIMS", "CAST",
    "DELEGATE",
}  # fmt: skip
#: how torch calls what an operator computes, where it is no lower case of it
_KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "conv",
    "BATCH_MATMUL": "matmul",
    "FULLY_CONNECTED": "linear",
    "RESIZE_BILINEAR": "bilinear",
    "MAX_POOL_2D": "max_pool",
}


def trace(entry: Path, inputs: Mapping[str, Array]) -> list[Traced]:
    """Operators in their order with every float result; int8 results are decoded."""
    with quiet():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_path=str(entry),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        interpreter.get_signature_runner()(**inputs)
    values: dict[int, Array] = {}
    for detail in interpreter.get_tensor_details():
        try:
            value = interpreter.get_tensor(detail["index"])
        except ValueError:  # a tensor that this run did not compute
            continue
        codes = detail["quantization_parameters"]
        if codes["scales"].size == 1 and value.dtype == np.int8:
            value = (value - np.float32(codes["zero_points"][0])) * np.float32(codes["scales"][0])
        if value.dtype == np.float32:
            values[detail["index"]] = value
    return [
        Traced(
            operator["op_name"],
            tuple(str(index) for index in operator["inputs"]),
            {str(index): values.get(index) for index in operator["outputs"]},
            _KINDS.get(operator["op_name"], operator["op_name"].lower()),
            operator["op_name"] in _MOVES,
        )
        for operator in interpreter._get_ops_details()
    ]
