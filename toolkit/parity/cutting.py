"""Where a format hides its intermediate results: convert the head cut short, again and again, by bisection."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.fx import Graph, GraphModule, Node

from converters.base import ConverterError

from .compare import max_abs, sqnr_db
from .eager import EagerLayer, Pair, exporting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from converters.base import Converter, HeadProgram

    from .replay import Array

#: operators that only move values: nothing is learnt from cutting there
_MOVES = ("view", "reshape", "unflatten", "flatten", "transpose", "permute", "slice", "getitem", "cat", "expand")
_SAME = 1e-6


@dataclass(frozen=True)
class _Probe:
    """A place to cut at: in the backbone, or in the block behind it."""

    node: Node
    in_block: bool


def read(
    head: HeadProgram,
    converter: Converter,
    precision: str,
    backend: str,
    feed: Mapping[str, Array],
    threshold: float,
) -> list[Pair]:
    """Find the first operator whose converted result departs; returns every place that was tried, in order.

    Args:
        head: as it was converted.
        converter: of the target.
        precision: as it was converted.
        backend: as it was converted.
        feed: image [1,C,H,W] and, where the head takes noise, eps [1,...].
        threshold: results are the same above this SQNR in dB.
    """
    return _Search(head, converter, precision, backend, feed, threshold).run()


class _Search:
    def __init__(
        self,
        head: HeadProgram,
        converter: Converter,
        precision: str,
        backend: str,
        feed: Mapping[str, Array],
        threshold: float,
    ) -> None:
        self._head, self._converter, self._precision, self._backend = head, converter, precision, backend
        self._feed, self._threshold = feed, threshold
        self._backbone = _graph(head.backbone, (head.image,))
        self._block: GraphModule | None = None
        if head.block is not None:
            with torch.no_grad():
                smashed = head.backbone(head.image)
            self._block = _graph(head.block, (smashed,) if head.eps is None else (smashed, head.eps))
        self._probes = [_Probe(node, False) for node in _places(self._backbone)]
        if self._block is not None:
            self._probes += [_Probe(node, True) for node in _places(self._block)]
        self._tried: dict[int, Pair | None] = {}

    def run(self) -> list[Pair]:
        last = len(self._probes) - 1
        if self._departs(last):
            self._first(last)
        return [pair for _, pair in sorted(self._tried.items()) if pair is not None]

    def _first(self, bad: int) -> None:
        """Go back from a place that departs to the first one that does; a branch beside it may be right."""
        before = [index for index in range(bad) if self._reaches(index, bad)]
        low, high = -1, len(before)
        while high - low > 1:
            middle = (low + high) // 2
            if self._departs(before[middle]):
                high = middle
            else:
                low = middle
        found = before[high] if high < len(before) else bad
        wrong_inputs = [index for index in self._sources(found) if self._departs(index)]
        if wrong_inputs:
            self._first(wrong_inputs[0])

    def _departs(self, index: int) -> bool:
        if index not in self._tried:
            self._tried[index] = self._try(self._probes[index])
        pair = self._tried[index]
        if pair is None:
            return False
        right = pair.chain[-1].value
        return sqnr_db(right, pair.got) < self._threshold and not max_abs(right, pair.got) < _SAME

    def _try(self, probe: _Probe) -> Pair | None:
        """Convert the head up to here and run it; None where that cannot be converted alone."""
        short = self._shortened(probe)
        feed = {name: value for name, value in self._feed.items() if name == "image" or short.eps is not None}
        with torch.no_grad():
            right = short.module()(*(torch.from_numpy(value) for value in feed.values())).numpy()
        with tempfile.TemporaryDirectory() as folder:
            try:
                made = self._converter.convert(short, Path(folder), precision=self._precision, backend=self._backend)
                got = self._converter.load(Path(folder) / made.entry).run(feed)
            except ConverterError:
                return None
        operator = str(probe.node.target).removeprefix("aten.").partition(".")[0]
        layer = EagerLayer(probe.node.name, operator, self._module_of(probe), (), right)
        return Pair([layer], got.reshape(right.shape))

    def _shortened(self, probe: _Probe) -> HeadProgram:
        if not probe.in_block:
            return replace(self._head, backbone=_until(self._backbone, probe.node), block=None, eps=None)
        assert self._block is not None  # noqa: S101 - probes of a block come from one
        block = _until(self._block, probe.node)
        noisy = self._head.eps is not None and sum(node.op == "placeholder" for node in block.graph.nodes) == 2
        return replace(self._head, block=block, eps=self._head.eps if noisy else None)

    def _module_of(self, probe: _Probe) -> str:
        """Path of the module that owns the operator, or the last one with weights before it."""
        prefix, node = ("block" if probe.in_block else "backbone"), probe.node
        while True:
            stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values() if path]
            weights = [str(source.target) for source in node.all_input_nodes if source.op == "get_attr"]
            if stack or weights:
                own = stack[-1] if stack else weights[0].rpartition(".")[0]
                return f"{prefix}.{own}"
            before = [source for source in node.all_input_nodes if source.op == "call_function"]
            if not before:
                return prefix
            node = before[0]

    def _reaches(self, index: int, later: int) -> bool:
        start, end = self._probes[index], self._probes[later]
        if start.in_block != end.in_block:
            return True
        seen, queue = set(), [end.node]
        while queue:
            node = queue.pop()
            if node is start.node:
                return True
            queue += [source for source in node.all_input_nodes if source not in seen]
            seen.update(node.all_input_nodes)
        return False

    def _sources(self, index: int) -> list[int]:
        """Nearest places before this one, over operators that only move values."""
        probe = self._probes[index]
        places = {each.node: number for number, each in enumerate(self._probes)}
        found, queue = [], list(probe.node.all_input_nodes)
        while queue:
            node = queue.pop()
            if node in places:
                found.append(places[node])
            else:
                queue += node.all_input_nodes
        return sorted(set(found))


def _graph(module: torch.nn.Module, example: tuple[torch.Tensor, ...]) -> GraphModule:
    with torch.no_grad(), exporting():
        return torch.export.export(module, example).module(check_guards=False)


def _places(graph: GraphModule) -> list[Node]:
    return [
        node
        for node in graph.graph.nodes
        if node.op == "call_function"
        and isinstance(node.meta.get("val"), torch.Tensor)
        and node.meta["val"].is_floating_point()
        and not node.name.startswith(_MOVES)
    ]


def _until(whole: GraphModule, last: Node) -> GraphModule:
    """The graph up to and with one operator, whose result it returns; inputs that it does not need are dropped."""
    graph = Graph()
    copies: dict[Node, Node] = {}
    for node in whole.graph.nodes:
        copies[node] = graph.node_copy(node, lambda old: copies[old])
        if node is last:
            break
    graph.output(copies[last])
    graph.eliminate_dead_code()
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    for node in inputs[1:]:
        if not node.users:
            graph.erase_node(node)
    return GraphModule(whole, graph)
