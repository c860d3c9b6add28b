"""The operators of a .tflite head, and which of them LiteRT's XNNPACK delegate leaves to plain kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._operators import Operator, Value
from ._quiet import quiet
from .base import ConverterError

if TYPE_CHECKING:
    from pathlib import Path


def operators(entry: Path) -> list[Operator]:
    """Operators of the main graph in their order; tensors are named by their numbers."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(entry.read_bytes(), 0))
    graph = model.subgraphs[0]
    kinds, types = _names(schema.BuiltinOperator), _names(schema.TensorType)

    def value(number: int) -> Value:
        tensor = graph.tensors[number]
        content = model.buffers[tensor.buffer].data
        shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
        sizes = () if shape is None else tuple(int(size) for size in shape)
        constant = content is not None and len(content) > 0
        return Value(str(number), types[tensor.type].lower(), sizes, constant)

    found = []
    for place, each in enumerate(graph.operators):
        code = model.operatorCodes[each.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind == "CUSTOM" and code.customCode:
            kind = code.customCode.decode() if isinstance(code.customCode, bytes) else str(code.customCode)
        inputs, outputs = (tuple(value(n) for n in numbers if n >= 0) for numbers in (each.inputs, each.outputs))
        settings = {} if each.builtinOptions is None else vars(each.builtinOptions)
        found.append(Operator(kind, f"operator {place}", inputs, outputs, settings))
    return found


def refused(entry: Path, backend: str) -> dict[int, str] | None:
    """Positions that a backend leaves to plain CPU kernels; None where nothing here can tell.

    Raises:
        ConverterError: LiteRT cannot open the file.
    """
    return _outside_xnnpack(entry) if backend == "cpu" else None


def _outside_xnnpack(entry: Path) -> dict[int, str]:
    """Open the file as an app does and see which results are still made by an operator of its own."""
    with quiet():
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_path=str(entry), num_threads=1)
            interpreter.allocate_tensors()
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConverterError(f"LiteRT cannot run {entry} ({reason}); convert it again.") from error
        steps = interpreter._get_ops_details()
        held = {number for step in steps if step["op_name"] == "DELEGATE" for number in step["outputs"]}
        plain = [step for step in steps if step["op_name"] != "DELEGATE"]
        return {
            place: "LiteRT's XNNPACK delegate did not take it here"
            for place, step in enumerate(plain)
            if all(number not in held and _is_there(interpreter, number) for number in step["outputs"])
        }


def _is_there(interpreter: Any, number: int) -> bool:  # noqa: ANN401 - the library ships no types
    """Whether a result exists outside of delegates."""
    try:
        interpreter.get_tensor(number)
    except ValueError:
        return False
    return True


def _names(kind: type) -> dict[int, str]:
    return {value: name for name, value in vars(kind).items() if not name.startswith("_")}
