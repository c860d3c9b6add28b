"""The operators of a saved Core ML program, constants folded away, without evaluating any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._operators import Operator, Value
from ..base import ConverterError
from . import package
from .values import Proto, read_type

if TYPE_CHECKING:
    from pathlib import Path

#: what only builds weights
_WEIGHTS = "constexpr_"
#: constants of this size are settings, larger ones are weights
_SETTINGS = 8


def operators(path: Path) -> list[Operator]:
    """List the operators of an .mlpackage in their order; small constant inputs stand among the attributes.

    Raises:
        ConverterError: not an mlprogram, or damaged.
    """
    spec = package.read_spec(package.model_file(path))
    if spec.WhichOneof("Type") != "mlProgram":
        raise ConverterError(f"{path} is a {spec.WhichOneof('Type')} model, expected an mlprogram (iOS 15 or newer).")
    name = spec.description.defaultFunctionName or "main"
    function = spec.mlProgram.functions[name]
    if function.opset not in function.block_specializations:
        raise ConverterError(f"{path} has no program for its own operator set {function.opset!r}; convert it again.")
    known = {each.name: _value(each, constant=False) for each in function.inputs}
    settings: dict[str, object] = {}
    found = []
    for proto in function.block_specializations[function.opset].operations:
        constant = proto.type == "const" or proto.type.startswith(_WEIGHTS)
        known.update({each.name: _value(each, constant) for each in proto.outputs})
        if constant:
            small = _small(proto.attributes["val"]) if "val" in proto.attributes else None
            if small is not None:
                settings[proto.outputs[0].name] = small
        else:
            found.append(_operator(proto, known, settings))
    return found


def _operator(proto: Proto, known: dict[str, Value], settings: dict[str, object]) -> Operator:
    inputs: list[Value] = []
    attributes: dict[str, object] = {}
    for parameter, argument in sorted(proto.inputs.items(), key=lambda item: (item[0] != "x", item[0])):
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "value":
                attributes[parameter] = _small(binding.value)
            elif binding.name in settings:
                attributes[parameter] = settings[binding.name]
            elif binding.name in known:
                inputs.append(known[binding.name])
    outputs = tuple(known[each.name] for each in proto.outputs)
    return Operator(proto.type, proto.outputs[0].name, tuple(inputs), outputs, attributes)


def _value(proto: Proto, constant: bool) -> Value:
    declared = read_type(proto.type, f"The tensor {proto.name}")
    if declared is None:
        return Value(proto.name, "string", (), constant)
    shape = tuple(-1 if size is None else size for size in declared.shape)
    return Value(proto.name, {"FLOAT16": "float16", "FLOAT32": "float32"}.get(declared.name, declared.name.lower()),
                 shape, constant)  # fmt: skip


def _small(proto: Proto) -> object:
    """A setting's content: one value, or a list of a few; None for weights."""
    stored = proto.immediateValue.tensor
    kind = stored.WhichOneof("value")
    if kind is None or kind == "bytes":
        return None
    values = list(getattr(stored, kind).values)
    if len(values) > _SETTINGS:
        return None
    return values[0] if len(values) == 1 and not proto.type.tensorType.dimensions else values
