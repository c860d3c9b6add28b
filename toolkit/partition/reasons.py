"""Why a network offers few cut points, or none, and what to change: in sentences that name modules and lines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .crossing import crossing
from .graph import image_of, where
from .names import module_names, spoken

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

#: at most this many obstacles are named
_MOST = 3


def why_so_few(graph: GraphModule) -> list[str]:
    """Name what prevents a cut at most of the points where a module ends."""
    import torch

    batch = str(image_of(graph).meta["val"].shape[0])
    kept: Counter[Node] = Counter()
    odd: Counter[tuple[str, Node]] = Counter()
    for node, alive in crossing(graph).items():
        if not module_names(node) or node not in alive:
            continue
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            continue
        if value.dtype == torch.float64:
            odd["computes in float64; call .float() on it and on the weights", node] += 1
        elif not value.is_floating_point():
            odd[f"gives {str(value.dtype).removeprefix('torch.')}, and only float features cross", node] += 1
        elif not value.ndim or str(value.shape[0]) != batch:
            odd["does not keep the batch on its first axis; put it there before and after", node] += 1
        for other in alive:
            if other is not node:
                kept[other] += 1
    sentences = []
    for value, count in kept.most_common(_MOST):
        last = max((user for user in value.users), key=lambda user: list(graph.graph.nodes).index(user))
        until = "the answer" if last.op == "output" else f"{spoken(last)}{where(last)}"
        if value.op == "placeholder":
            sentences.append(
                f"The image itself is needed until {until}, so cutting before would send the photo as it is; "
                "add it outside the network, or cut behind that point."
            )
        else:
            sentences.append(
                f"What {spoken(value)} makes is needed until {until}, so two or more tensors cross at {count} "
                "points between; --crossing 2 to 4 offers those."
            )
    seen: set[str] = set()
    for (what, node), _ in odd.most_common():
        if what not in seen and len(seen) < _MOST:
            seen.add(what)
            sentences.append(f"{spoken(node)}{where(node)} {what}.")
    return sentences or ["No operator between the image and the answer has weights of its own."]
