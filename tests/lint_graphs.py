"""Tiny graphs in each format, written as files that the converters' own readers open."""

from __future__ import annotations

from pathlib import Path

from converters.base import Operator
from toolkit.convert.heads import converter

#: (element type, shape, whether its content is in the file)
Tensor = tuple[str, tuple[int, ...], bool]


def onnx_file(body: str, folder: Path, inputs: str = "float[1,4,8,8] x", output: str = "y", opset: int = 20) -> Path:
    """A graph in ONNX's own text form; constants are written `name = Constant<...>()` or as `weights`."""
    import onnx

    text = f'<ir_version: 9, opset_import: ["" : {opset}]>\ngraph ({inputs}) => (float[] {output}) {{\n{body}\n}}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path = folder / "probe.onnx"
    onnx.save(model, path)
    return path


def tflite_file(steps: list[tuple[str, list[int], int, object]], tensors: list[Tensor], folder: Path) -> Path:
    """A flatbuffer of operators: (kind, numbers of its inputs, number of its output, options or None)."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description, model.buffers = 3, "probe", [schema.BufferT()]
    model.operatorCodes, graph.operators, graph.tensors = [], [], []
    for number, (kind, shape, constant) in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.type, tensor.shape, tensor.name = getattr(schema.TensorType, kind.upper()), list(shape), f"t{number}"
        if constant:
            buffer = schema.BufferT()
            buffer.data = [0] * 64
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
        else:
            tensor.buffer = 0
        graph.tensors.append(tensor)
    for kind, inputs, output, options in steps:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes), inputs, [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    made = {output for _, _, output, _ in steps}
    read = {number for _, inputs, _, _ in steps for number in inputs}
    graph.inputs = sorted(n for n in read - made if not tensors[n][2])
    graph.outputs = sorted(made - read)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = folder / "probe.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def matmul_options(*, adj_x: bool = False, adj_y: bool = False) -> object:
    from ai_edge_litert import schema_py_generated as schema

    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = adj_x, adj_y
    return options


def operators(path: Path) -> list[Operator]:
    """As the target's converter reads them."""
    target = {".onnx": "onnx", ".tflite": "tflite", ".mlpackage": "coreml", ".aimodel": "coreai"}[path.suffix]
    return list(converter(target).operators(path))


def aimodel(module: object, example: object, folder: Path) -> Path:
    """A torch module as a saved Core AI program, in the precision that its example has."""
    import torch

    from converters._quiet import quiet
    from converters.to_coreai import _write

    with quiet():
        _write(torch.export.export(module, (example,)), ["image"], ["smashed"], folder / "probe.aimodel")
    return folder / "probe.aimodel"


def for_delegate(module: object, example: object) -> list[Operator]:
    """A torch module as ExecuTorch's Core AI delegate would divide it."""
    import torch

    from converters._coreai_operators import divided
    from converters._quiet import quiet

    with quiet():
        return divided(torch.export.export(module, (example,)))
