"""Transpositions written out that a product of a .tflite head would carry as a flag.

LiteRT's GPU parser ignores adj_x and adj_y (LiteRT issue 8913), and litert-torch folds every transposition before a
product into them: attention then multiplies in the wrong orientation on phones, silently. A TRANSPOSE of its own does
the same with an operator that every delegate takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT, TensorT


def upright(content: bytes) -> bytes:
    """Rewrite a .tflite model so that no BATCH_MATMUL has adj_x or adj_y; one without them comes back as it is.

    Args:
        content: the model's bytes, of any number of graphs.

    Source: https://github.com/google-ai-edge/LiteRT/issues/8913
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    products = {
        number
        for number, code in enumerate(model.operatorCodes)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.BATCH_MATMUL
    }
    if not sum(_upright_graph(model, graph, products) for graph in model.subgraphs):
        return content
    import flatbuffers

    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _upright_graph(model: ModelT, graph: SubGraphT, products: set[int]) -> int:
    """Fix one graph; return how many transpositions it got."""
    operators, before = [], len(graph.operators)
    for operator in graph.operators:
        if operator.opcodeIndex in products:
            options = operator.builtinOptions
            operator.inputs = operator.inputs.copy()  # what was read from bytes is read-only
            for place, flag in enumerate(("adjX", "adjY")):
                if getattr(options, flag):
                    setattr(options, flag, False)
                    operators.append(_transposition(model, graph, int(operator.inputs[place])))
                    operator.inputs[place] = operators[-1].outputs[0]
        operators.append(operator)
    graph.operators = operators
    return len(operators) - before


def _transposition(model: ModelT, graph: SubGraphT, source: int) -> OperatorT:
    """Swap the last two axes of a tensor, in an operator whose result is a new tensor."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    given = graph.tensors[source]
    axes = [*range(len(given.shape) - 2), len(given.shape) - 1, len(given.shape) - 2]
    order, result = schema.TensorT(), schema.TensorT()
    order.type, order.shape, order.name = schema.TensorType.INT32, np.array([len(axes)], np.int32), _name(given, "axes")
    order.hasRank, order.buffer = True, len(model.buffers)
    content = schema.BufferT()
    content.data = np.frombuffer(np.array(axes, "<i4").tobytes(), np.uint8)
    model.buffers.append(content)
    # a result keeps its operand's element type and, where it has one, its single scale
    result.type, result.shape, result.name = given.type, given.shape[axes], _name(given, "upright")
    result.hasRank, result.buffer, result.quantization = given.hasRank, 0, given.quantization
    if given.shapeSignature is not None:
        result.shapeSignature = given.shapeSignature[axes]
    graph.tensors += [order, result]
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs = _opcode(model), np.array([source, len(graph.tensors) - 2], np.int32)
    operator.outputs = np.array([len(graph.tensors) - 1], np.int32)
    operator.builtinOptions = schema.TransposeOptionsT()
    operator.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    return operator


def _opcode(model: ModelT) -> int:
    """Number of TRANSPOSE among the model's operator codes; appended where it is not there yet."""
    from ai_edge_litert import schema_py_generated as schema

    transpose = schema.BuiltinOperator.TRANSPOSE
    for number, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == transpose:
            return number
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = transpose
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _name(tensor: TensorT, word: str) -> bytes:
    """Name what is derived from a tensor; its scope stays in front, by which int8 tells backbone and block apart."""
    name = tensor.name or b""
    return name + b"/" + word.encode() if isinstance(name, bytes) else f"{name}/{word}".encode()
