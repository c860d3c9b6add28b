"""Intermediate results of a .tflite head. The file keeps no operator names, so results are recognised by value.

A result that equals one of eager torch's, in either layout, is that one. One that equals none, while what it was
computed from does and nothing computed from it does, is where the file departs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .eager import EagerLayer, Pair, as_eager, recognise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .replay import Array

#: these only move or recode values; where they go wrong, the next operator shows it
_MOVES = {
    "TRANSPOSE",
    "RESHAPE",
    "PAD",
    "PADV2",
    "QUANTIZE",
    "DEQUANTIZE",
    "STRIDED_SLICE",
    "SLICE",
    "EXPAND_DIMS",
    "CAST",
}
#: how eager torch calls what an operator of the file computes
_KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "conv",
    "SOFTMAX": "softmax",
    "BATCH_MATMUL": "bmm",
    "FULLY_CONNECTED": "linear",
    "RESIZE_BILINEAR": "bilinear",
    "MAX_POOL_2D": "max_pool",
}


def read(entry: Path, feed: Mapping[str, Array], eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    """Run once; this file's results beside eager torch's, up to the first that is none of them.

    Args:
        entry: the .tflite file.
        feed: image [1,C,H,W] and, where the head takes noise, eps [1,...].
        eager: what eager torch computes, by name.
        threshold: results are the same above this SQNR in dB.
    """
    operators, values = _run(entry, feed)
    known: dict[int, str] = {}
    for operator in operators:
        for name, value in ((name, values[name]) for name in operator["outputs"] if name in values):
            match = recognise(value, eager, threshold)
            if match is not None:
                known[name] = match
    pairs: dict[str, Pair] = {}
    for position, operator in enumerate(operators):
        name = operator["outputs"][0]
        if name in known:
            layer = eager[known[name]]
            pairs.setdefault(layer.name, Pair([layer], as_eager(values[name], layer)))
        elif name in values and _is_broken(operator, operators[position + 1 :], known, values):
            guess = _guess(operator, values[name], eager, set(known.values()))
            if guess is not None:
                return [*pairs.values(), Pair([guess], as_eager(values[name], guess))]
    return list(pairs.values())


def _run(entry: Path, feed: Mapping[str, Array]) -> tuple[list[dict[str, Any]], dict[int, Array]]:
    """Operators in their order, and every float result by the tensor's number; int8 results are decoded."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(entry),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    runner(**feed)
    operators = interpreter._get_ops_details()
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
    return operators, values


def _is_broken(
    operator: Mapping[str, Any], later: list[dict[str, Any]], known: Mapping[int, str], values: Mapping[int, Array]
) -> bool:
    """Whether nothing that is computed from this result is one of eager torch's.

    Smaller results prove nothing: a mean is the same whatever the order of what it was taken over.
    """
    if operator["op_name"] in _MOVES or operator["op_name"] == "DELEGATE":
        return False
    size = values[operator["outputs"][0]].size
    reached = set(operator["outputs"])
    for each in later:
        if reached.intersection(each["inputs"]):
            if any(name in known and values[name].size >= size for name in each["outputs"]):
                return False
            reached.update(each["outputs"])
    return True


def _guess(
    operator: Mapping[str, Any], value: Array, eager: Mapping[str, EagerLayer], known: set[str]
) -> EagerLayer | None:
    """The layer that this operator stands for: of its size and kind, the first that nothing right was made from."""
    settled, queue = set(known), list(known)
    while queue:
        before = [name for name in eager[queue.pop()].inputs if name in eager and name not in settled]
        settled.update(before)
        queue += before
    open_ = [layer for name, layer in eager.items() if name not in settled and layer.value.size == value.size]
    kind = _KINDS.get(operator["op_name"], operator["op_name"].lower())
    return next((layer for layer in open_ if kind in layer.operator), open_[0] if open_ else None)
