"""Sorting: LiteRT's runtime has it along the last axis, and its converter makes an operator that does not load."""

from __future__ import annotations

import torch
from torch import Tensor

from ._table import rewrites


@rewrites("aten.topk.default", targets=["tflite"])
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest, or smallest, along an axis, and where they stand."""
    return _first(x, k, dim, largest=largest)


@rewrites("aten.sort.default", targets=["tflite"])
def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """All of them in order."""
    return _first(x, x.shape[dim], dim, largest=descending)


def _first(x: Tensor, k: int, dim: int, *, largest: bool) -> tuple[Tensor, Tensor]:
    # registers tfl.topk_v2
    import litert_torch.backend.experimental.torch_tfl  # noqa: F401

    values, places = torch.ops.tfl.topk_v2((x if largest else -x).movedim(dim, -1), k)
    values, places = values.movedim(-1, dim), places.to(torch.int64).movedim(-1, dim)
    return values if largest else -values, places
