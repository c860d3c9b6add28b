"""Outputs that are plain numbers, and how close two of them are."""

from __future__ import annotations

import torch
from torch import Tensor

#: values kept of one output per photo
_MOST_VALUES = 4096


def sampled(values: Tensor) -> Tensor:
    """Values [B,n] of an output [B,...], the same places for every photo where there are many."""
    flat = values.reshape(len(values), -1).float()
    if flat.shape[1] <= _MOST_VALUES:
        return flat
    places = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(0))[:_MOST_VALUES]
    return flat[:, places.sort().values]


def closeness(mine: Tensor, truth: Tensor) -> Tensor:
    """One minus the root mean square difference of values [N,n] beside their spread, at least 0: [N].

    The spread is how much the truth varies from photo to photo: a network that gives every photo the mean answer
    gets about 0, one that is never wrong gets 1.
    """
    spread = truth.var(0, correction=0).mean().sqrt() if len(truth) > 1 else truth.std(correction=0)
    off = (mine - truth).square().mean(1).sqrt()
    return (1 - off / spread.clamp(min=1e-12)).clamp(0, 1)
