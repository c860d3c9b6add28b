"""A converted head's intermediate results beside eager torch's.

Results that carry the operators' names are paired by them. A file that keeps no names has its results recognised by
value: one that equals one of eager torch's, in either layout, is that one; one that equals none, although what it was
computed from does and nothing computed from it does, is where the file departs.

Of a head that is converted once more with every result handed out, the answer is the same to the bit as the file's, so
that what the second one computes on the way is what the file computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from converters.base import Traced

from .compare import sqnr_db
from .eager import EagerLayer, Pair, as_eager, fused, pairs_by_name, recognise
from .standing import INPUTS, reads, source, standing_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from converters.base import Steps

    from .replay import Array

_OUTPUT = "smashed"
#: SQNR in dB above which equal values tell that two operators are the same one: coarser results resemble others'
_TELLING = 60.0


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
    return pairs_by_name(_by_place(trace, eager, threshold), eager, threshold)


def _by_place(trace: Sequence[Traced], eager: Mapping[str, EagerLayer], threshold: float) -> dict[str, Array]:
    """Results under the names of eager torch's layers: by value, then by what they are made from, then by name."""
    made = {name for step in trace for name in step.outputs}
    stands = {name: name for name in INPUTS}
    found: dict[str, Array] = {}
    last = list(eager)[-1]
    for step in trace:
        before = [name for name in step.inputs if name in made or name in INPUTS]
        read = {source(stands[name], eager) for name in before if name in stands}
        settled = all(name in stands for name in before)
        for name, value in step.outputs.items():
            own = eager.get(last if name == _OUTPUT else name)
            own = own if value is not None and own is not None and own.value.size == value.size else None
            if value is None:
                continue
            if own is not None and sqnr_db(own.value, value.reshape(own.value.shape)) >= threshold:
                place = own.name
            elif (equal := recognise(value, eager, threshold)) is not None:
                place = equal
            elif own is not None and (not settled or _together([*fused(eager, found, own), own], eager) == read):
                place = own.name
            else:
                guess = standing_for(read, value.size, step.kind, eager, found) if settled else None
                if guess is None and own is None:
                    continue
                place = (guess or own).name  # type: ignore[union-attr]
            stands[name] = place
            found.setdefault(place, value)
    return found


def _together(chain: Sequence[EagerLayer], eager: Mapping[str, EagerLayer]) -> set[str]:
    """What operators that are computed as one read from elsewhere."""
    own = {source(layer.name, eager) for layer in chain}
    return {name for layer in chain for name in reads(layer, eager)} - own


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
        elif name in values:
            read = _read(name, trace[: position + 1], known, eager)
            exact = standing_for(read, values[name].size, step.kind, eager, set(known.values()))
            if _is_broken(step, trace[position + 1 :], known, values, exact, eager):
                guess = exact or _guess(step, values[name], eager, set(known.values()))
                if guess is not None:
                    chain = _with_fused(guess, values[name], eager)
                    return [*found.values(), Pair(chain, as_eager(values[name], chain[-1]))]
    return list(found.values())


def _read(name: str, trace: Sequence[Traced], known: Mapping[str, str], eager: Mapping[str, EagerLayer]) -> set[str]:
    """Layers and inputs of the head that a result is made from, through results that are none of eager torch's."""
    made_by = {output: step for step in trace for output in step.outputs}
    found, queue, seen = set[str](), [name], {name}
    while queue:
        for each in made_by[queue.pop()].inputs:
            if each in known or each in INPUTS:
                found.add(source(known.get(each, each), eager))
            elif each in made_by and each not in seen:
                seen.add(each)
                queue.append(each)
    return found


def _with_fused(guess: EagerLayer, value: Array, eager: Mapping[str, EagerLayer]) -> list[EagerLayer]:
    """A layer and those behind it that the same operator computes: a norm, and a ReLU where nothing is negative."""
    chain = [guess]
    while guess.operator.startswith(("conv", "linear", "batch_norm")):
        behind = [layer for layer in eager.values() if chain[-1].name in layer.inputs]
        if len(behind) != 1 or not (
            behind[0].operator == "batch_norm" or (behind[0].operator == "relu" and float(value.min()) >= 0)
        ):
            break
        chain.append(behind[0])
        if behind[0].operator == "relu":
            break
    return chain


def _behind(layer: EagerLayer, eager: Mapping[str, EagerLayer]) -> set[str]:
    """Names of everything that is computed from a layer; eager torch's order is one of computation."""
    found = {layer.name}
    for name, each in eager.items():
        if found.intersection(each.inputs):
            found.add(name)
    return found


def _is_broken(
    step: Traced,
    later: Sequence[Traced],
    known: Mapping[str, str],
    values: Mapping[str, Array],
    layer: EagerLayer | None,
    eager: Mapping[str, EagerLayer],
) -> bool:
    """Whether nothing that is computed from this result is one of eager torch's, of those behind its `layer` if known.

    Smaller results prove nothing: a mean is the same whatever the order of what it was taken over.
    """
    proving = set(eager) if layer is None else _behind(layer, eager)
    if step.moves:
        return False
    size = values[next(iter(step.outputs))].size
    reached = set(step.outputs)
    for each in later:
        if reached.intersection(each.inputs):
            if any(known.get(name) in proving and values[name].size >= size for name in each.outputs):
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


def of_steps(steps: Steps, eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    """The results of a head that hands all of them out, beside eager torch's.

    Args:
        steps: what the converted head computes.
        eager: what eager torch computes, by the same names.
        threshold: results are the same above this SQNR in dB.
    """
    if threshold >= _TELLING and not eager.keys() >= steps.results.keys():
        trace = [
            Traced(name, tuple(reads), {name: steps.results.get(name)}, name.rstrip("_0123456789"))
            for name, reads in steps.operators.items()
        ]
        return _pairs(_by_place(trace, eager, threshold), eager)
    present = set(steps.operators)
    found = {_with_batch_norm(name, eager, present): value for name, value in steps.results.items()}
    fitting = {name: value for name, value in found.items() if name in eager and value.size == eager[name].value.size}
    return _pairs(fitting, eager)


def _pairs(found: Mapping[str, Array], eager: Mapping[str, EagerLayer]) -> list[Pair]:
    return [
        Pair([*fused(eager, found, eager[name]), eager[name]], value.reshape(eager[name].value.shape))
        for name, value in found.items()
    ]


def _with_batch_norm(name: str, eager: Mapping[str, EagerLayer], present: Collection[str]) -> str:
    """Name of the layer that this result is: int8's convolutions have taken in the batch norm behind them."""
    while True:
        behind = [layer for layer in eager.values() if name in layer.inputs]
        if len(behind) != 1 or behind[0].operator != "batch_norm" or behind[0].name in present:
            return name
        name = behind[0].name
