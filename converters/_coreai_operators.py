"""The operators of a saved Core AI program, and which of a head's ExecuTorch's Core AI delegate would take."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._executorch_operators import traced_operators
from ._operators import Operator, Value
from .base import ConverterError

if TYPE_CHECKING:
    from pathlib import Path

    from torch.export import ExportedProgram

#: constants of this size are settings, larger ones are weights
_SETTINGS = 8
_TYPES = {"f16": "float16", "f32": "float32", "bf16": "bfloat16", "i1": "bool"}
_WHOLE = re.compile(r"(s|u)?i(\d+)")
_COMPOSITE = re.compile(r'composite_declaration<"(\w+)" = \{input_names = \[([^\]]*)\]')


def operators(entry: Path, function: str) -> list[Operator]:
    """List an .aimodel's operators in their order; constants are folded away, small ones stand among the attributes.

    A composite, such as a layer norm, is one operator: that is how the runtime's compilers see it.
    """
    from coreai.authoring import AIModelAsset

    # the package has no public way into a saved program's graph; its release is pinned
    program: Any = AIModelAsset.load(entry).program
    composites = dict(_composites(program._module._mlir_module.body.operations))
    known: dict[Any, Value] = {}
    settings: dict[str, object] = {}
    found: list[Operator] = []
    graph = program._get_graph(function)
    for place, argument in enumerate(graph.entry_block.arguments):
        known[argument] = _value(argument, f"argument {place}", constant=False)
    for place, view in enumerate(graph.entry_block.operations):
        kind = view.operation.name.removeprefix("coreai.").removeprefix("decomposable.")
        if kind == "output":
            continue
        given = list(view.operation.operands)
        if kind == "invoke":
            kind, names = composites[_callee(view)]
            named = list(zip(names, given, strict=False))
        else:
            named = [(name, each) for name, each in _readers(view) if each in given]
        inputs = [known[each] for each in given]
        constant = all(each.constant for each in inputs)  # a weight turned round is a weight still
        for result in view.operation.results:
            known[result] = _value(result, str(place), constant)
        if kind == "constant":
            settings[str(place)] = _small(view.operation.attributes["value"])
        elif not constant:
            outputs = tuple(known[result] for result in view.operation.results)
            small = {name: settings.get(known[each].name) for name, each in named}
            attributes = {name: value for name, value in small.items() if value is not None}
            read = tuple(each for each in inputs if settings.get(each.name) is None)
            found.append(Operator(kind, f"operator {place}", read, outputs, attributes))
    return found


def _composites(graphs: Any) -> Any:  # noqa: ANN401 - the package ships no types
    """What each private graph of a program stands for: its symbol, its kind and the names of its inputs."""
    for graph in graphs:
        declared = _COMPOSITE.search(str(graph.attributes["composite_decl"])) if _has(graph) else None
        symbol = str(graph.attributes["sym_name"]).strip('"')
        names = re.findall(r'"(\w+)"', declared[2]) if declared else []
        yield symbol, (declared[1] if declared else symbol, names)


def _has(graph: Any) -> bool:  # noqa: ANN401 - the package ships no types
    return "composite_decl" in graph.attributes


def _callee(view: Any) -> str:  # noqa: ANN401 - the package ships no types
    named = re.search(r"@(\w+)", str(view.callee))
    if named is None:
        raise ConverterError(f"This program calls {view.callee}, which is no graph of its own; convert the head again.")
    return named[1]


def _readers(view: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - the package ships no types
    """What an operator calls its inputs and results, one value each."""
    from coreai._compiler.ir import Value as Stored

    readers = [(name, getattr(view, name)) for name, each in vars(type(view)).items() if isinstance(each, property)]
    return [(name, each) for name, each in readers if isinstance(each, Stored)]


def _value(value: Any, name: str, constant: bool) -> Value:  # noqa: ANN401 - the package ships no types
    kind = str(getattr(value.type, "element_type", value.type))
    whole = _WHOLE.fullmatch(kind)
    if kind not in _TYPES and whole is not None:
        kind = f"{'u' if whole[1] == 'u' else ''}int{whole[2]}"
    shape = tuple(-1 if size < 0 else size for size in value.type.shape) if hasattr(value.type, "shape") else None
    return Value(name, _TYPES.get(kind, kind), shape, constant)


def _small(stored: Any) -> object:  # noqa: ANN401 - the package ships no types
    """A setting's content: one number, or a list of a few; None for weights."""
    import numpy as np

    try:
        values = np.array(stored)
    except (TypeError, ValueError):  # a resource of the file, which only weights are
        return None
    if values.size > _SETTINGS or values.ndim > 1 or values.dtype == object:
        return None
    content: object = values.tolist()
    return content


class _Divided(Exception):
    """Ends a lowering as soon as its partitioner has spoken."""


def divided(program: ExportedProgram) -> list[Operator]:
    """Let the partitioner of ExecuTorch's Core AI delegate divide a head, without compiling what it takes.

    It asks coreai-torch what that can lower. Compiling is left out: the delegate and the runtime are betas that have to
    fit each other, and what is taken does not depend on it.
    """
    from executorch.backends.apple.coreai import CoreAIPartitioner, get_default_passes
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    found: list[Operator] = []

    class Noting(CoreAIPartitioner):  # type: ignore[misc] # the package ships no types
        def partition(self, exported_program: ExportedProgram) -> None:
            super().partition(exported_program)
            found.extend(traced_operators(exported_program.graph_module))
            raise _Divided

    # the delegate's own settings, but that operators which neither it nor ExecuTorch has are listed, not refused
    config = EdgeCompileConfig(_skip_dim_order=True, _check_ir_validity=False)
    with suppress(_Divided):
        to_edge_transform_and_lower(
            program, transform_passes=get_default_passes(), partitioner=[Noting()], compile_config=config
        )
    return found
