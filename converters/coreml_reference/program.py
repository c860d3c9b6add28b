"""A Core ML program that can be evaluated: constants read once, then one operator after the other."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..base import ConverterError
from . import ops, package
from .values import Proto, ReadWeights, TensorType, Value, read_type, read_value, room_for, rounded, to_numpy
from .weights import WeightFile

if TYPE_CHECKING:
    from ..base import Array


@dataclass(frozen=True)
class _Reference:
    name: str


#: what an operator raises whose inputs do not fit; AttributeError: a text where it wants a tensor
_NOT_EVALUATED = (
    *(RuntimeError, ValueError, IndexError, TypeError),
    *(KeyError, AttributeError, ArithmeticError, MemoryError),
)

#: a constant, the name of an earlier result, or a list of both
_Argument = Value | _Reference | list["_Argument"]


@dataclass(frozen=True)
class Operation:
    """One operator of the program.

    Attributes:
        kind: MIL's operator type, such as ``conv``.
        inputs: parameter -> a constant, the name of an earlier result, or a list of both.
        outputs: name -> declared type.
    """

    kind: str
    inputs: dict[str, _Argument]
    outputs: dict[str, TensorType]

    def evaluate(self, known: Mapping[str, Value]) -> dict[str, Value]:
        """Compute the outputs, each rounded to its declared type.

        Raises:
            ConverterError: its inputs do not fit, or its result is not what the program declares.
        """
        name = next(iter(self.outputs))
        arguments = {key: _resolve(value, known) for key, value in self.inputs.items()}
        try:
            made = ops.FUNCTIONS[self.kind](**arguments)
        except _NOT_EVALUATED as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConverterError(f"The operator {self.kind} named {name} cannot be evaluated: {reason}") from None
        results = [_tensor(one) for one in (made if isinstance(made, tuple | list) else (made,))]
        if len(results) != len(self.outputs):
            raise ConverterError(
                f"The operator {self.kind} named {name} gives {len(results)} results, not {len(self.outputs)}."
            )
        for result, (key, declared) in zip(results, self.outputs.items(), strict=True):
            if not declared.fits(result.shape):
                raise ConverterError(
                    f"The operator {self.kind} gives {key} the shape {list(result.shape)}, "
                    f"the program declares {list(declared.shape)}."
                )
        return {k: rounded(r, t) for r, (k, t) in zip(results, self.outputs.items(), strict=True)}


def _resolve(value: _Argument, known: Mapping[str, Value]) -> Value:
    if isinstance(value, list):
        return [_resolve(item, known) for item in value]
    return known[value.name] if isinstance(value, _Reference) else value


def _tensor(value: Value) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ConverterError("The program hands out a text; only tensors are known here.")
    return value


class Program:
    """A saved mlprogram. Its results are those of torch operators, never to be reported as Core ML's.

    Attributes:
        inputs, outputs: name -> declared type.
        operators: the operator types that it uses, constants included.
    """

    def __init__(
        self, inputs: dict[str, TensorType], outputs: list[str], constants: dict[str, Value], body: list[Operation]
    ) -> None:
        types = {**inputs, **{name: kind for operation in body for name, kind in operation.outputs.items()}}
        self.inputs = inputs
        self.outputs = {name: types[name] for name in outputs}
        self.operators = {operation.kind for operation in body}
        self._types = types
        self._constants = constants
        self._body = body
        self._dead_after = _last_uses(body, keep=set(outputs))

    def run(self, inputs: Mapping[str, Array]) -> Array | dict[str, Array]:
        """Evaluate once: input name -> array; returns the output, or outputs by name where there are several.

        Raises:
            ConverterError: a missing or unknown input, or one of another shape.
        """
        known = self._start(inputs)
        for index, made in enumerate(self._steps(known)):
            known.update(made)
            for name in self._dead_after[index]:
                known.pop(name, None)
        results = {name: to_numpy(_tensor(known[name]), kind) for name, kind in self.outputs.items()}
        return results if len(results) > 1 else next(iter(results.values()))

    def trace(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Evaluate once and keep every tensor that depends on an input, by name, in the program's order."""
        known = self._start(inputs)
        for made in self._steps(known):
            known.update(made)
        return {name: to_numpy(_tensor(known[name]), kind) for name, kind in self._types.items()}

    def kind_of(self, name: str) -> str:
        """Return the type of the operator that makes a tensor of `trace`, or ``input``."""
        return next((operation.kind for operation in self._body if name in operation.outputs), "input")

    def inputs_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the tensors that the operator of a tensor of `trace` reads, constants left out."""
        made = next((operation for operation in self._body if name in operation.outputs), None)
        return () if made is None else tuple(_names(list(made.inputs.values())))

    def _steps(self, known: dict[str, Value]) -> Iterator[dict[str, Value]]:
        for operation in self._body:
            with torch.inference_mode():
                made = operation.evaluate(known)
            yield made

    def _start(self, inputs: Mapping[str, Array]) -> dict[str, Value]:
        if set(inputs) != set(self.inputs):
            raise ConverterError(f"The program takes the inputs {sorted(self.inputs)}, got {sorted(inputs)}.")
        known = dict(self._constants)
        for name, kind in self.inputs.items():
            value = np.ascontiguousarray(inputs[name])
            if value.dtype.kind not in "fiub" or not kind.fits(value.shape):
                want = f"{kind.name} {list(kind.shape)}"
                raise ConverterError(
                    f"The input {name} is {value.dtype} {list(value.shape)}, the program expects {want}."
                )
            known[name] = rounded(
                torch.from_numpy(value.astype(np.float32) if value.dtype.kind == "f" else value), kind
            )
        return known


def _last_uses(body: list[Operation], keep: set[str]) -> list[list[str]]:
    """For each operator, the names that nothing after it reads: dropping them bounds the memory of a run."""
    seen = set(keep)
    dead: list[list[str]] = []
    for operation in reversed(body):
        names = {*_names(list(operation.inputs.values())), *operation.outputs}
        dead.append(sorted(names - seen))
        seen |= names
    return dead[::-1]


def _names(values: Sequence[_Argument]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _names(value)
        elif isinstance(value, _Reference):
            yield value.name


def load_program(path: Path) -> Program:
    """Read an .mlpackage folder and evaluate its constants, decompressed weights included.

    Raises:
        ConverterError: not an mlprogram, damaged, or one that uses operators which are missing here; the
            message lists those.
    """
    model = package.model_file(path)
    spec = package.read_spec(model)
    if spec.WhichOneof("Type") != "mlProgram":
        raise ConverterError(f"{path} is a {spec.WhichOneof('Type')} model, expected an mlprogram (iOS 15 or newer).")
    name = spec.description.defaultFunctionName or "main"
    if name not in spec.mlProgram.functions:
        raise ConverterError(f"{path} has no function {name!r}; its functions: {sorted(spec.mlProgram.functions)}.")
    function = spec.mlProgram.functions[name]
    if function.opset not in function.block_specializations:
        raise ConverterError(f"{path} has no program for its own operator set {function.opset!r}; convert it again.")
    block = function.block_specializations[function.opset]
    _refuse_missing(path, {operation.type for operation in block.operations})
    inputs = {value.name: _tensor_type(value) for value in function.inputs}
    files = functools.cache(lambda file: WeightFile(package.weight_file(model, file)))
    return _Reader(inputs, lambda file, *place: files(file).tensor(*place)).program(block)


def _refuse_missing(path: Path, used: set[str]) -> None:
    missing = sorted(used - set(ops.FUNCTIONS) - {"const"})
    if missing:
        raise ConverterError(
            f"{path} uses operators that the reference evaluator lacks: {', '.join(missing)}; "
            f"it knows: {', '.join(sorted(ops.FUNCTIONS))}."
        )


def _tensor_type(value: Proto) -> TensorType:
    declared = read_type(value.type, f"The tensor {value.name}")
    if declared is None:
        raise ConverterError(f"The tensor {value.name} is a text; only tensors of numbers are known here.")
    return declared


class _Reader:
    """Walks a block once: what depends on no input becomes a constant, the rest an operation."""

    def __init__(self, inputs: dict[str, TensorType], read_weights: ReadWeights) -> None:
        self.inputs = inputs
        self.read_weights = read_weights
        self.constants: dict[str, Value] = {}
        self.body: list[Operation] = []
        self.defined = set(inputs)

    def program(self, block: Proto) -> Program:
        for proto in block.operations:
            self._read(proto)
        computed = {name for operation in self.body for name in operation.outputs} | set(self.inputs)
        for name in block.outputs:
            if name not in computed:
                raise ConverterError(f"The program hands out {name!r}, which no operator computes from its inputs.")
        if not block.outputs:
            raise ConverterError("The program has no output; convert the model again.")
        return Program(self.inputs, list(block.outputs), self._still_used(), self.body)

    def _read(self, proto: Proto) -> None:
        outputs = [value.name for value in proto.outputs]
        taken = self.defined.intersection(outputs)
        if not outputs or taken or len(set(outputs)) < len(outputs):
            raise ConverterError(f"An operator {proto.type} has the outputs {outputs}; each needs a name of its own.")
        self.defined.update(outputs)
        if proto.type == "const":
            if "val" not in proto.attributes:
                raise ConverterError(f"The constant {outputs[0]} has no value; convert the model again.")
            self.constants[outputs[0]] = read_value(proto.attributes["val"], outputs[0], self.read_weights)
            return
        operation = Operation(proto.type, self._arguments(proto), {v.name: _tensor_type(v) for v in proto.outputs})
        _check_parameters(operation)
        if all(name in self.constants for name in _names(list(operation.inputs.values()))):
            with torch.inference_mode():
                self.constants.update(operation.evaluate(self.constants))
        else:
            self.body.append(operation)

    def _arguments(self, proto: Proto) -> dict[str, _Argument]:
        """Merge inputs with attributes: before iOS 18, compressed weights are attributes of their operator."""
        where = proto.outputs[0].name
        arguments: dict[str, _Argument] = {
            key: read_value(value, f"{key} of {where}", self.read_weights)
            for key, value in proto.attributes.items()
            if key != "name"
        }
        for key, argument in proto.inputs.items():
            bound = [self._bound(binding, f"{key} of {where}") for binding in argument.arguments]
            if not bound:
                raise ConverterError(f"The input {key} of the operator {where} is empty; convert the model again.")
            arguments[key] = bound if key == "values" or len(bound) > 1 else bound[0]
        return arguments

    def _bound(self, binding: Proto, what: str) -> _Argument:
        if binding.WhichOneof("binding") == "value":
            return read_value(binding.value, what, self.read_weights)
        if binding.name not in self.defined:
            raise ConverterError(f"{what} refers to {binding.name!r}, which nothing before it defines.")
        return _Reference(binding.name)

    def _still_used(self) -> dict[str, Value]:
        """Drop packed weights and other constants that only built constants."""
        used = {name for operation in self.body for name in _names(list(operation.inputs.values()))}
        return {name: value for name, value in self.constants.items() if name in used}


def _check_parameters(operation: Operation) -> None:
    """Compare an operator's inputs with the function that evaluates it."""
    for name, declared in operation.outputs.items():
        room_for(declared.shape, f"The result {name} of {operation.kind}")
    try:
        inspect.signature(ops.FUNCTIONS[operation.kind]).bind(**operation.inputs)
    except TypeError as error:
        name = next(iter(operation.outputs))
        raise ConverterError(f"The operator {operation.kind} named {name} does not fit: {error}.") from None
