"""Which of eager torch's layers a file's result stands for, where neither name nor value tells: what it is made from.

An exporter that writes another operator in one's place gives it that other operator's name, and its values are none of
eager torch's; but it still reads what the right one reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .eager import EagerLayer

#: these only move values: what reads their result reads what they were made from
_MOVES = ("view", "reshape", "transpose", "permute", "clone", "alias", "unsqueeze", "squeeze", "flatten", "expand")
#: names of the head's inputs
INPUTS = ("image", "eps")


def source(name: str, eager: Mapping[str, EagerLayer]) -> str:
    """Name of the layer that computed a result, behind whatever only moved it."""
    while name in eager:
        layer = eager[name]
        before = [each for each in layer.inputs if each in eager]
        # the one result that is taken out of several, as a batch norm's, carries its operator's name
        same = len(before) == 1 and layer.operator == eager[before[0]].operator and name.startswith("getitem")
        if not (same or (layer.operator in _MOVES and before)):
            break
        name = before[0]
    return name


def reads(layer: EagerLayer, eager: Mapping[str, EagerLayer]) -> frozenset[str]:
    """What a layer is computed from: layers and the head's inputs, no weights."""
    return frozenset(source(name, eager) for name in layer.inputs if name in eager or name in INPUTS)


def standing_for(
    read: Iterable[str], size: int, kind: str, eager: Mapping[str, EagerLayer], taken: Collection[str]
) -> EagerLayer | None:
    """The first layer of a size that reads just these results, those of the operator's own kind before others.

    Args:
        read: names of layers and of the head's inputs.
        size: of the file's result, in numbers.
        kind: how torch calls what the file computes there, "" where that is not known.
        eager: what eager torch computes, by name.
        taken: names of layers that other results of the file are.
    """
    wanted = frozenset(source(name, eager) for name in read)
    if not wanted:
        return None
    fitting = [
        layer
        for name, layer in eager.items()
        if name not in taken
        and layer.value.size == size
        and source(name, eager) == name
        and reads(layer, eager) == wanted
    ]
    return next((layer for layer in fitting if kind and kind in layer.operator), fitting[0] if fitting else None)
