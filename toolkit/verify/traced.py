"""A converted head's intermediate results beside eager torch's.

Results that carry the operators' names are paired by them. A file that keeps no names has its results recognised by
value: one that equals one of eager torch's, in either layout, is that one; one that equals none, although what it was
computed from does and nothing computed from it does, is where the file departs.

Of a head that is converted once more with every result handed out, the answer is the same to the bit as the file's, so
that what the second one computes on the way is what the file computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .eager import EagerLayer, Pair, as_eager, fused, pairs_by_name, recognise

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from converters.base import Steps, Traced

    from .replay import Array

_OUTPUT = "smashed"


def pairs(
    trace: Sequence[Traced] | None, named: bool, answer: Array, eager: Mapping[str, EagerLayer], threshold: float
) -> list[Pair]:
    """The file's results beside eager torch's, in the file's order.

    Args:
        trace: what the file's operators computed; None where its format hides that: the answer alone is compared.
        named: whether results carry the names of eager torch's operators.
        answer: the head's output [1,c,h,w].
        eager: what eager torch computes, by name.
        threshold: results are the same above this SQNR in dB.
    """
    last = list(eager)[-1]
    if trace is None:
        return [Pair([eager[last]], as_eager(answer, eager[last]))]
    if not named:
        return _by_value(trace, eager, threshold)
    results = ((name, value) for step in trace for name, value in step.outputs.items() if value is not None)
    found = {last if name == _OUTPUT else name: value for name, value in results}
    return pairs_by_name({name: value for name, value in found.items() if name in eager}, eager, threshold)


def _by_value(trace: Sequence[Traced], eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    values = {name: value for step in trace for name, value in step.outputs.items() if value is not None}
    known: dict[str, str] = {}
    for name, value in values.items():
        match = recognise(value, eager, threshold)
        if match is not None:
            known[name] = match
    found: dict[str, Pair] = {}
    for position, step in enumerate(trace):
        name = next(iter(step.outputs))
        if name in known:
            layer = eager[known[name]]
            found.setdefault(layer.name, Pair([layer], as_eager(values[name], layer)))
        elif name in values and _is_broken(step, trace[position + 1 :], known, values):
            guess = _guess(step, values[name], eager, set(known.values()))
            if guess is not None:
                return [*found.values(), Pair([guess], as_eager(values[name], guess))]
    return list(found.values())


def _is_broken(step: Traced, later: Sequence[Traced], known: Mapping[str, str], values: Mapping[str, Array]) -> bool:
    """Whether nothing that is computed from this result is one of eager torch's.

    Smaller results prove nothing: a mean is the same whatever the order of what it was taken over.
    """
    if step.moves:
        return False
    size = values[next(iter(step.outputs))].size
    reached = set(step.outputs)
    for each in later:
        if reached.intersection(each.inputs):
            if any(name in known and values[name].size >= size for name in each.outputs):
                return False
            reached.update(each.outputs)
    return True


def _guess(step: Traced, value: Array, eager: Mapping[str, EagerLayer], known: set[str]) -> EagerLayer | None:
    """The layer that this operator stands for: of its size and kind, the first that nothing right was made from."""
    settled, queue = set(known), list(known)
    while queue:
        before = [name for name in eager[queue.pop()].inputs if name in eager and name not in settled]
        settled.update(before)
        queue += before
    open_ = [layer for name, layer in eager.items() if name not in settled and layer.value.size == value.size]
    return next((layer for layer in open_ if step.kind and step.kind in layer.operator), open_[0] if open_ else None)


def of_steps(steps: Steps, eager: Mapping[str, EagerLayer]) -> list[Pair]:
    """The results of a head that hands all of them out, beside eager torch's.

    Args:
        steps: what the converted head computes.
        eager: what eager torch computes, by the same names.
    """
    present = set(steps.operators)
    found = {_with_batch_norm(name, eager, present): value for name, value in steps.results.items()}
    fitting = {name: value for name, value in found.items() if name in eager and value.size == eager[name].value.size}
    return [
        Pair([*fused(eager, fitting, eager[name]), eager[name]], value.reshape(eager[name].value.shape))
        for name, value in fitting.items()
    ]


def _with_batch_norm(name: str, eager: Mapping[str, EagerLayer], present: Collection[str]) -> str:
    """Name of the layer that this result is: int8's convolutions have taken in the batch norm behind them."""
    while True:
        behind = [layer for layer in eager.values() if name in layer.inputs]
        if len(behind) != 1 or behind[0].operator != "batch_norm" or behind[0].name in present:
            return name
        name = behind[0].name
