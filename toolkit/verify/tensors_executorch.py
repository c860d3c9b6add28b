"""Intermediate results of a .pte head: converted once more, in the same way, with every operator's result handed out.

The file tells only its end. Its answer and that of the second conversion are the same to the bit, so that what the
second one computes on the way is what the file computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .eager import EagerLayer, Pair, fused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from converters.base import Steps


def read(steps: Steps, eager: Mapping[str, EagerLayer]) -> list[Pair]:
    """The file's results beside eager torch's, in the file's order.

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
