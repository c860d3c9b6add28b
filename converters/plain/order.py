"""Sorting: LiteRT's runtime has it along the last axis, and its converter makes an operator that does not load."""

from __future__ import annotations

import torch
from torch import Tensor

from ._table import rewrites


@rewrites("aten.topk.default", targets=["tflite"])
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor] | None:
    """The k largest, or smallest, along an axis, and where they stand."""
    if not largest:
        values, places = _largest(-x, k, dim)
        return -values, places
    return _largest(x, k, dim)


@rewrites("aten.sort.default", targets=["tflite"])
def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """All of them in order."""
    if descending:
        return _largest(x, x.shape[dim], dim)
    values, places = _largest(-x, x.shape[dim], dim)
    return -values, places


def _largest(x: Tensor, k: int, dim: int) -> tuple[Tensor, Tensor]:
    # registers tfl.topk_v2
    import litert_torch.backend.experimental.torch_tfl  # noqa: F401

    values, places = torch.ops.tfl.topk_v2(x.movedim(dim, -1), k)
    return values.movedim(-1, dim), places.to(torch.int64).movedim(-1, dim)
