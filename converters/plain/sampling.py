"""Sampling at given positions."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from ._table import rewrites

#: torch's numbers of modes and paddings
_BILINEAR, _NEAREST, _ZEROS, _BORDER = 0, 1, 0, 1


@rewrites("aten.grid_sampler.default", "aten.grid_sampler_2d.default", targets=["tflite"])
def grid_sampler(x: Tensor, grid: Tensor, mode: int, padding: int, align_corners: bool) -> Tensor | None:
    """Corners of each position and their shares: x [1,C,H,W], grid [1,h,w,2] in -1..1 -> [1,C,h,w].

    Positions that depend on weights alone are then computed once, when the head is exported. LiteRT's int8 would
    compute them in int8, which is too coarse to tell places apart.

    Source: the documentation of torch.nn.functional.grid_sample.
    """
    if x.dim() != 4 or x.shape[0] != 1 or mode not in {_BILINEAR, _NEAREST} or padding not in {_ZEROS, _BORDER}:
        return None
    axes = [_corners(grid[..., axis], x.shape[3 - axis], mode, padding, align_corners) for axis in (0, 1)]
    height, width = grid.shape[1:3]
    flat = x.flatten(2)
    made: Tensor | None = None
    for (column, beside), (row, above) in product(*axes):
        places = (row * x.shape[3] + column).flatten()
        part = flat.index_select(2, places).reshape(1, -1, height, width) * (beside * above).unsqueeze(1)
        made = part if made is None else made + part
    return made


def _corners(position: Tensor, size: int, mode: int, padding: int, align_corners: bool) -> list[tuple[Tensor, Tensor]]:
    """Which places of an axis a position [1,h,w] in -1..1 lies between, and the share of each; none outside."""
    at = (position + 1) * ((size - 1) / 2) if align_corners else ((position + 1) * size - 1) / 2
    if padding == _BORDER:
        at = at.clamp(0, size - 1)
    if mode == _NEAREST:
        near = at.round()
        corners = [(near, torch.ones_like(near))]
    else:
        first = at.floor()
        corners = [(first, first + 1 - at), (first + 1, at - first)]
    return [
        (place.clamp(0, size - 1).to(torch.int64), share * ((place >= 0) & (place < size)).to(share.dtype))
        for place, share in corners
    ]
