"""Which axis of a tensor holds the channels, and which lie on the image's grid: read off the graph.

Every axis of every value is followed from the image: a convolution puts its channels on axis 1, a linear layer or a
layer norm on the last, permute moves axes, reshape splits and joins them. Notation: B batch, C channels, H x W grid,
N tokens; P of them stand in front of the grid (a class token).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import GraphModule, Node


@dataclass(frozen=True)
class Axis:
    """One axis: factors of its length, outermost first, behind `prefix` entries that lie off the grid.

    A factor is a letter (B, C, H, W; ? where unknown) and a length, -1 for the batch.
    """

    factors: tuple[tuple[str, int], ...]
    prefix: int = 0

    @property
    def letters(self) -> str:
        """Such as "HW" for tokens that lie on a grid."""
        return "".join(letter for letter, _ in self.factors)


@dataclass(frozen=True)
class Layout:
    """How a crossing tensor is laid out.

    Attributes:
        name: NCHW, NHWC, NTC, NC, or "" where the graph does not determine it.
        grid: (h, w) where the tokens of NTC lie on one.
        prefix_tokens: tokens of NTC in front of the grid.
    """

    name: str
    grid: tuple[int, int] | None = None
    prefix_tokens: int = 0


def maps_shape(shape: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """The shape [C,h,w] of a tensor of that layout once its channels come first."""
    if layout == "NHWC":
        return shape[2], shape[0], shape[1]
    if layout == "NTC":
        return shape[1], shape[0], 1
    channels, height, width = (*shape, 1, 1)[:3]
    return channels, height, width


Axes = tuple[Axis, ...]
_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose2d")
_CHANNELS_SECOND = ("batch_norm", "group_norm", "instance_norm", "_native_batch_norm_legit_no_training", "prelu")
_RESHAPES = ("view", "reshape", "flatten", "unflatten", "_unsafe_view", "squeeze", "unsqueeze", "pixel_shuffle_")
_PRODUCTS = ("matmul", "bmm", "baddbmm")


def layouts(module: GraphModule) -> dict[Node, Layout]:
    """Find the layout of every value that has one."""
    axes = _follow(module)
    return {node: _layout(found) for node, found in axes.items()}


def _layout(axes: Axes) -> Layout:
    inner = [axis.letters for axis in axes[1:]]
    if inner == ["C", "H", "W"]:
        return Layout("NCHW")
    if inner[:2] == ["H", "W"] and len(inner) == 3 and inner[2].endswith("C"):
        return Layout("NHWC")  # patches that were moved into the channels are channels
    if len(inner) == 1:
        return Layout("NC")
    if len(inner) == 2 and inner[1] == "C" and "C" not in inner[0]:
        tokens = axes[1]
        if inner[0] == "HW":
            return Layout("NTC", (tokens.factors[0][1], tokens.factors[1][1]), tokens.prefix)
        return Layout("NTC", None, tokens.prefix)
    return Layout("")


def _follow(module: GraphModule) -> dict[Node, Axes]:
    import torch

    found: dict[Node, Axes] = {}
    for node in module.graph.nodes:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or node.op not in ("placeholder", "call_function"):
            continue
        shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
        if node.op == "placeholder":
            letters = "BHWC" if len(shape) == 4 and shape[3] in (1, 3) and shape[1] not in (1, 3) else "BCHW"
            axes = _fresh(letters if len(shape) == 4 else "B" + "?" * (len(shape) - 1), shape)
        else:
            axes = _fitted(_through(node, shape, found), shape)
        found[node] = axes
    return found


def _fresh(letters: str, shape: Sequence[int]) -> Axes:
    return tuple(Axis(((letter, size),)) for letter, size in zip(letters, shape, strict=True))


def _fitted(axes: Axes | None, shape: Sequence[int]) -> Axes:
    """Give every axis the length that it has; what was not understood is unknown."""
    if axes is None or len(axes) != len(shape):
        return _fresh("B" + "?" * (len(shape) - 1) if shape else "", shape)
    return tuple(_sized(axis, size) for axis, size in zip(axes, shape, strict=True))


def _sized(axis: Axis, size: int) -> Axis:
    if len(axis.factors) == 1:
        return replace(axis, factors=((axis.factors[0][0], size - axis.prefix if size > 0 else size),))
    inner = math.prod(length for _, length in axis.factors)
    return axis if inner + axis.prefix == size or inner < 0 else Axis((("?", size),))


def _through(node: Node, shape: tuple[int, ...], known: dict[Node, Axes]) -> Axes | None:
    """Axes of one operator's result; None where they cannot be known."""
    name = str(node.target).removeprefix("aten.").split(".")[0].rstrip("_")
    sources = [known[source] for source in node.all_input_nodes if source in known]
    first = sources[0] if sources else None
    arguments = _arguments(node)
    if name in _CONVOLUTIONS:
        return _fresh({3: "BC?", 4: "BCHW"}.get(len(shape), "BC" + "?" * (len(shape) - 2)), shape)
    if first is None:
        return None
    if name == "linear":
        return (*first[:-1], Axis((("C", shape[-1]),)))
    if name in ("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm"):
        return _with_channels(first, len(first) - 1) if len(_list(arguments[1])) == 1 else first
    if name in _CHANNELS_SECOND:
        return _with_channels(first, 1)
    if name == "permute":
        return tuple(first[axis] for axis in _list(arguments[1]))
    if name in ("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT"):
        one, other = (arguments[1], arguments[2]) if len(arguments) > 2 else (-2, -1)
        turned = list(first)
        turned[one], turned[other] = turned[other], turned[one]
        return tuple(turned)
    if name in _RESHAPES:
        return _regroup(first, shape)
    if name in ("cat", "concat"):
        return _joined(node, known, shape)
    if name in ("slice", "narrow"):
        return _sliced(node, first)
    if name == "select":
        axis = arguments[1] % len(first) if isinstance(arguments[1], int) else 0
        return (*first[:axis], *first[axis + 1 :])
    if name in ("mean", "sum", "amax", "amin", "logsumexp") and len(shape) < len(first):
        gone = {axis % len(first) for axis in _list(arguments[1] if len(arguments) > 1 else range(len(first)))}
        return tuple(axis for index, axis in enumerate(first) if index not in gone)
    if name in _PRODUCTS and len(sources) == 2 and len(shape) == len(first):
        return (*first[:-1], sources[1][-1]) if len(sources[1]) == len(shape) else None
    if name == "scaled_dot_product_attention":
        return first
    same = [axes for axes in sources if len(axes) == len(shape)]
    # adding a position table changes no meaning: of two operands, the one that saw more of the image decides
    return max(same, key=_told, default=None)


def _told(axes: Axes) -> int:
    return sum(letter != "?" for axis in axes for letter in axis.letters)


def _with_channels(axes: Axes, index: int) -> Axes:
    if axes[index].letters in ("C", "?") and index < len(axes):
        length = axes[index].factors[0][1]
        return (*axes[:index], Axis((("C", length),)), *axes[index + 1 :])
    return axes


def _arguments(node: Node) -> list[Any]:
    return list(node.args)


def _list(value: Any) -> list[Any]:  # noqa: ANN401 (an operator's argument)
    return list(value) if isinstance(value, list | tuple | range) else [value]


def _regroup(axes: Axes, shape: tuple[int, ...]) -> Axes | None:
    """Split and join factors so that they give the new lengths, in order."""
    if any(axis.prefix for axis in axes):
        kept = [axis for axis in axes if axis.prefix]
        # class tokens in front: only axes of length 1, or axes around them, may have come or gone
        at = next((index for index, size in enumerate(shape) if index and size == _length(kept[0])), None)
        if len(kept) != 1 or at is None:
            return None
        before, after = axes[: axes.index(kept[0])], axes[axes.index(kept[0]) + 1 :]
        left, right = _regroup(before, shape[:at]), _regroup(after, shape[at + 1 :])
        return None if left is None or right is None else (*left, kept[0], *right)
    pending = [factor for axis in axes for factor in axis.factors if factor[1] != 1]
    made: list[Axis] = []
    for size in shape:
        taken = _take(pending, size)
        if taken is None:
            return None
        made.append(Axis(_merged(taken)))
    return None if pending else tuple(made)


def _take(pending: list[tuple[str, int]], size: int) -> list[tuple[str, int]] | None:
    """Take factors of that product from the front, splitting the last; None where they do not fit."""
    if size == 1:
        return [("?", 1)]
    if size == -1:
        return [pending.pop(0)] if pending and pending[0][1] == -1 else None
    taken: list[tuple[str, int]] = []
    while size > 1:
        if not pending or pending[0][1] < 0:
            return None
        letter, length = pending.pop(0)
        if length <= size and size % length == 0:
            taken.append((letter, length))
            size //= length
        elif length > size and length % size == 0:
            taken.append((letter, size))
            pending.insert(0, (letter, length // size))
            size = 1
        else:
            return None
    return taken


def _merged(factors: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Join neighbours of one letter: heads x width of a head are channels again."""
    joined: list[tuple[str, int]] = []
    for letter, length in factors:
        if joined and joined[-1][0] == letter:
            joined[-1] = (letter, joined[-1][1] * length)
        else:
            joined.append((letter, length))
    return tuple(joined)


def _length(axis: Axis) -> int:
    return axis.prefix + math.prod(length for _, length in axis.factors)


def _joined(node: Node, known: dict[Node, Axes], shape: tuple[int, ...]) -> Axes | None:
    """Concatenation: of channels, or of a class token in front of the grid."""
    parts = [part for part in _list(_arguments(node)[0]) if part in known and len(known[part]) == len(shape)]
    if not parts:
        return None
    at = [*_arguments(node), 0][1] % len(shape)
    main = max(parts, key=lambda part: (_told(known[part]), _length(known[part][at])))
    axes = known[main]
    letters = axes[at].letters
    if letters == "C":
        return (*axes[:at], Axis((("C", shape[at]),)), *axes[at + 1 :])
    front = 0
    for part in _list(_arguments(node)[0]):
        if part is main:
            break
        value = part.meta["val"]
        front += int(value.shape[at])
    rest = shape[at] - front - _length(axes[at])
    if rest:
        return (*axes[:at], Axis((("?", shape[at]),)), *axes[at + 1 :])
    return (*axes[:at], replace(axes[at], prefix=axes[at].prefix + front), *axes[at + 1 :])


def _sliced(node: Node, axes: Axes) -> Axes | None:
    arguments = [*_arguments(node)[1:], *[None] * 3][:3]
    at = (arguments[0] or 0) % len(axes)
    start = arguments[1] or 0
    axis = axes[at]
    if axis.prefix and start == axis.prefix:
        return (*axes[:at], replace(axis, prefix=0), *axes[at + 1 :])
    return axes
