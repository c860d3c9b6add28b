"""What a .pte left outside of its delegates, and what a backend's partitioner takes of a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._operators import Operator, Value

if TYPE_CHECKING:
    from pathlib import Path

#: stands for all that a delegate of a saved file holds; only the backend can read what is inside
DELEGATE = "DELEGATE"


def operators(entry: Path) -> list[Operator]:
    """Calls of the file's one method in their order: kernels by name, each delegate as one operator."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    plan = deserialize_pte_binary(entry.read_bytes()).program.execution_plan[0]
    found = []
    for place, instruction in enumerate(each for chain in plan.chains for each in chain.instructions):
        call = instruction.instr_args
        if hasattr(call, "delegate_index"):
            backend = plan.delegates[call.delegate_index].id
            found.append(Operator(DELEGATE, backend, (), (), partition=f"{backend} {place}"))
        elif hasattr(call, "op_index"):
            operator = plan.operators[call.op_index]
            values = tuple(_stored(plan.values[index].val, str(index)) for index in call.args)
            kind = f"{operator.name}.{operator.overload}" if operator.overload else operator.name
            tensors = tuple(value for value in values if value is not None)
            found.append(Operator(kind, f"call {place}", tensors[:-1], tensors[-1:]))
    return found


def lowered_operators(graph_module: Any) -> list[Operator]:  # noqa: ANN401 - executorch ships no types
    """Operators of a lowered head's graph in their order, those inside of delegates with the name of their delegate."""
    return _walk(graph_module, None)


def traced_operators(graph_module: Any) -> list[Operator]:  # noqa: ANN401 - executorch ships no types
    """Operators of a graph that a partitioner has looked at, with the tag of the part that it put each into.

    What nothing reads, such as the count of a norm's batches, is no work.
    """
    return [
        Operator(
            _operator_name(node),
            node.name,
            tuple(_traced(each) for each in node.all_input_nodes),
            _results(node),
            partition=node.meta.get("delegation_tag"),
        )
        for node in graph_module.graph.nodes
        if node.op == "call_function" and "getitem" not in str(node.target) and node.users
    ]


def _results(node: Any) -> tuple[Value, ...]:  # noqa: ANN401 - torch.fx
    value = node.meta.get("val")
    if not isinstance(value, tuple | list):
        return (_traced(node),)
    return tuple(_of(one, node.name, constant=False) for one in value)


def _operator_name(node: Any) -> str:  # noqa: ANN401 - torch.fx
    """What a node of a lowered graph computes, such as ``aten::add.out``."""
    name = getattr(node.target, "name", None)
    return str(name() if callable(name) else node.target)


def _walk(module: Any, partition: str | None) -> list[Operator]:  # noqa: ANN401 - executorch ships no types
    found: list[Operator] = []
    for node in module.graph.nodes:
        if node.op != "call_function" or "getitem" in str(node.target):  # the latter only takes a result apart
            continue
        if "executorch_call_delegate" in str(node.target):
            inner = getattr(module, node.args[0].target)
            found += _walk(inner.original_module.graph_module, f"{inner.backend_id} {node.name}")
            continue
        inputs = tuple(_traced(each) for each in node.all_input_nodes)
        found.append(Operator(_operator_name(node), node.name, inputs, (_traced(node),), partition=partition))
    return found


def _traced(node: Any) -> Value:  # noqa: ANN401 - torch.fx
    value = node.meta.get("val")
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    constant = node.op == "placeholder" and str(node.target).startswith(("p_", "b_", "c_"))
    return _of(value, node.name, constant)


def _of(value: Any, name: str, constant: bool) -> Value:  # noqa: ANN401 - a tensor without content
    if not hasattr(value, "shape"):
        return Value(name, "", None, constant)
    return Value(name, str(value.dtype).removeprefix("torch."), tuple(int(n) for n in value.shape), constant)


def _stored(value: Any, name: str) -> Value | None:  # noqa: ANN401 - executorch ships no types
    if not hasattr(value, "sizes"):
        return None
    return Value(name, str(getattr(value.scalar_type, "name", "")).lower(), tuple(value.sizes))
