"""Whether a rule's conditions hold for an operator, and into how many parts a graph falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from converters.base import Operator, Value

    from .rules import Rule, When


def makers(operators: Sequence[Operator]) -> dict[str, int]:
    """Position of the operator that makes each value."""
    return {value.name: place for place, operator in enumerate(operators) for value in operator.outputs}


def matches(rule: Rule, operator: Operator, operators: Sequence[Operator], made: Mapping[str, int]) -> bool:
    """Whether a rule applies to this operator.

    Args:
        rule: with its conditions.
        operator: one of `operators`.
        operators: the whole graph.
        made: what `makers` says of it.
    """
    if "*" not in rule.operators and operator.kind not in rule.operators:
        return False
    when = rule.when
    if when.made_by:
        before = {operators[made[value.name]].kind for value in operator.inputs if value.name in made}
        if not before.intersection(when.made_by):
            return False
    return _fits_tensors(when, operator) and _fits_attributes(when, operator)


def _fits_tensors(when: When, operator: Operator) -> bool:
    tensors = (*operator.inputs, *operator.outputs)
    first = operator.inputs[0].shape if operator.inputs else None
    computed = [value for value in operator.inputs if not value.constant]
    checks = (
        not when.ranks or (first is not None and len(first) in when.ranks),
        not when.least_rank or max((_rank(value) for value in tensors), default=0) >= when.least_rank,
        not when.least_batch or (first is not None and len(first) > 0 and first[0] >= when.least_batch),
        not when.types or any(value.dtype in when.types for value in tensors),
        when.variable is None or _is_constant(operator, when.variable) is False,
        when.constant is None or _is_constant(operator, when.constant) is True,
        not when.mixed_ranks or len({_rank(value) for value in computed if value.shape}) > 1,
        not when.broadcasts or len({value.shape for value in operator.inputs}) > 1,
    )
    return all(checks)


def _fits_attributes(when: When, operator: Operator) -> bool:
    have = operator.attributes
    if when.any_attribute and not any(have.get(key) in values for key, values in when.any_attribute.items()):
        return False
    if not all(
        any(number not in values for number in _numbers(have.get(key))) for key, values in when.outside_of.items()
    ):
        return False
    return all(have.get(key) in values for key, values in when.attributes.items())


def _is_constant(operator: Operator, place: int) -> bool | None:
    return operator.inputs[place].constant if place < len(operator.inputs) else None


def _numbers(setting: object) -> Sequence[object]:
    if isinstance(setting, list | tuple):
        return setting
    return () if setting is None else (setting,)


def _rank(value: Value) -> int:
    return 0 if value.shape is None else len(value.shape)


def partitions(operators: Sequence[Operator], taken: Collection[int]) -> int:
    """Count the parts that an accelerator runs, as its runtime forms them: as long as possible, one after the other.

    Source: the greedy walks of TFLite's partitioning helper and onnxruntime's CreateSupportedPartitionNodeGroups.

    Args:
        operators: the graph.
        taken: positions of those that the accelerator takes.
    """
    made = makers(operators)
    needs = [{made[value.name] for value in each.inputs if value.name in made} for each in operators]
    waiting, done, count, inside = set(range(len(operators))), set[int](), 0, True
    while waiting:
        moved = False
        while ready := {place for place in waiting if needs[place] <= done and (place in taken) == inside}:
            done |= ready
            waiting -= ready
            moved = True
        count += inside and moved
        if not moved and not any(needs[place] <= done for place in waiting):
            break  # a circle: no file has one, and a damaged one must not hang
        inside = not inside
    return count
