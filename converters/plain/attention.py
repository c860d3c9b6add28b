"""Attention as torch's one operator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._table import constants, rewrites

#: what a score is lowered by where it must not count; half precision holds it
_FAR_BELOW = -1e4


@rewrites("aten.scaled_dot_product_attention.default")
def scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """softmax(query key^T * scale + mask) value: query [...,L,E], key [...,S,E], value [...,S,V].

    Source: the documentation of torch.nn.functional.scaled_dot_product_attention.
    """
    if dropout_p or enable_gqa:
        return None
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query * factor, key.transpose(-2, -1))
    if is_causal:
        with constants():
            unseen = torch.full((query.shape[-2], key.shape[-2]), _FAR_BELOW).triu(1)
        scores = scores + unseen
    if attn_mask is not None:
        scores = scores + (_offsets(attn_mask) if attn_mask.dtype == torch.bool else attn_mask)
    return torch.matmul(torch.softmax(scores, -1), value)


def _offsets(mask: Tensor) -> Tensor:
    """0 where the mask holds, far below every score elsewhere; -inf would be NaN in half precision's arithmetic."""
    return (mask.to(torch.float32) - 1) * -_FAR_BELOW
