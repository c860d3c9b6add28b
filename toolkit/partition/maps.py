"""Graph pieces that bring what crosses into one tensor of maps [B,C,h,w], and back, without changing a bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import Graph, Node

Shape = tuple[int, int, int]
_aten = torch.ops.aten


def to_maps(half: Graph, value: Node, layout: str) -> Node:
    """One tensor of that layout, channels first."""
    if layout == "NHWC":
        return half.call_function(_aten.permute.default, (value, [0, 3, 1, 2]))
    if layout == "NTC":
        turned = half.call_function(_aten.permute.default, (value, [0, 2, 1]))
        return half.call_function(_aten.unsqueeze.default, (turned, 3))
    if layout == "NC":
        longer = half.call_function(_aten.unsqueeze.default, (value, 2))
        return half.call_function(_aten.unsqueeze.default, (longer, 3))
    return value


def from_maps(half: Graph, value: Node, layout: str) -> Node:
    """Undo `to_maps`."""
    if layout == "NHWC":
        return half.call_function(_aten.permute.default, (value, [0, 2, 3, 1]))
    if layout == "NTC":
        shorter = half.call_function(_aten.squeeze.dim, (value, 3))
        return half.call_function(_aten.permute.default, (shorter, [0, 2, 1]))
    if layout == "NC":
        shorter = half.call_function(_aten.squeeze.dim, (value, 3))
        return half.call_function(_aten.squeeze.dim, (shorter, 2))
    return value


def stacked_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape of several maps once they are one."""
    height, width = _grid(shapes)
    return sum(_folded(shape, (height, width)) for shape in shapes), height, width


def stack(half: Graph, values: Sequence[Node], shapes: Sequence[Shape]) -> Node:
    """Fold every map to the smallest one's size and stack their channels."""
    if len(values) == 1:
        return values[0]
    grid = _grid(shapes)
    made = [_fold(half, value, shape, grid) for value, shape in zip(values, shapes, strict=True)]
    return half.call_function(_aten.cat.default, (made, 1))


def unstack(half: Graph, value: Node, shapes: Sequence[Shape]) -> list[Node]:
    """Undo `stack`."""
    if len(shapes) == 1:
        return [value]
    grid, start, made = _grid(shapes), 0, []
    for shape in shapes:
        count = _folded(shape, grid)
        part = half.call_function(_aten.slice.Tensor, (value, 1, start, start + count))
        made.append(_unfold(half, part, shape, grid))
        start += count
    return made


def _grid(shapes: Sequence[Shape]) -> tuple[int, int]:
    """The smallest map's size; vectors have none of their own."""
    _, height, width = min((shape for shape in shapes if shape[1:] != (1, 1)), key=_area, default=shapes[0])
    return height, width


def _area(shape: Shape) -> int:
    return shape[1] * shape[2]


def _factor(shape: Shape, grid: tuple[int, int]) -> int:
    """How many pixels of a side go into one; 0 where it does not divide evenly."""
    factor = shape[1] // grid[0]
    return factor if factor and (grid[0] * factor, grid[1] * factor) == shape[1:] else 0


def _folded(shape: Shape, grid: tuple[int, int]) -> int:
    """How many channels a map has once folded; what does not divide evenly is filled up with zeros."""
    return -(-math.prod(shape) // (grid[0] * grid[1]))


def _fold(half: Graph, value: Node, shape: Shape, grid: tuple[int, int]) -> Node:
    factor = _factor(shape, grid)
    if factor:
        return value if factor == 1 else half.call_function(_aten.pixel_unshuffle.default, (value, factor))
    flat = half.call_function(_aten.flatten.using_ints, (value, 1))
    missing = _folded(shape, grid) * grid[0] * grid[1] - math.prod(shape)
    if missing:
        flat = half.call_function(_aten.constant_pad_nd.default, (flat, [0, missing]))
    return half.call_function(_aten.unflatten.int, (flat, 1, [_folded(shape, grid), *grid]))


def _unfold(half: Graph, value: Node, shape: Shape, grid: tuple[int, int]) -> Node:
    factor = _factor(shape, grid)
    if factor:
        return value if factor == 1 else half.call_function(_aten.pixel_shuffle.default, (value, factor))
    flat = half.call_function(_aten.flatten.using_ints, (value, 1))
    kept = half.call_function(_aten.slice.Tensor, (flat, 1, 0, math.prod(shape)))
    return half.call_function(_aten.unflatten.int, (kept, 1, list(shape)))
