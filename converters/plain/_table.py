"""Which function replaces which operator, and for which targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: called as the operator is; None leaves the operator as it is
Function = Callable[..., Any]


@dataclass(frozen=True)
class Rewrite:
    """A function that does the same with other operators.

    Attributes:
        function: takes the operator's own arguments, gives its values.
        targets: which converters want it; None: all.
    """

    function: Function
    targets: frozenset[str] | None

    def wanted(self, target: str) -> bool:
        """Whether a target's graphs get it."""
        return self.targets is None or target in self.targets


@contextmanager
def constants() -> Iterator[None]:
    """Compute tensors that depend on sizes alone: what happens inside is not part of the graph, its results are."""
    from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing

    with disable_proxy_modes_tracing():
        yield


#: "aten.add.Tensor" -> what replaces it, in order of registration; the first that does not decline is taken
TABLE: dict[str, list[Rewrite]] = {}


def rewrites(*operators: str, targets: Iterable[str] | None = None) -> Callable[[Function], Function]:
    """Register a function for operators, each named as in ``aten.add.Tensor``."""

    def register(function: Function) -> Function:
        for operator in operators:
            TABLE.setdefault(operator, []).append(Rewrite(function, None if targets is None else frozenset(targets)))
        return function

    return register
