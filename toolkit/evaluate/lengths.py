"""How long entropy-coded messages are: part of what anyone on the way sees."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..records.bundle import Coding

#: what the coder's state adds to the codes' own information
_STATE_BITS = 16


def length_of(coding: Coding) -> Callable[[tuple[Tensor, ...]], Tensor]:
    """Return a function from what crosses, [B,c,...], to the messages' lengths in bytes [B].

    From the tables, not by coding: a range coder is within a byte of that, and attackers need many lengths.
    """
    most = max(coding.levels)
    cost = torch.zeros(len(coding.tables), most)
    for channel, table in enumerate(coding.tables):
        cost[channel, : len(table)] = coding.precision_bits - torch.tensor(table, dtype=torch.float32).log2()
    scale, zero = torch.tensor(coding.scale), torch.tensor(coding.zero_point, dtype=torch.float32)
    top = torch.tensor(coding.levels, dtype=torch.float32) - 1

    def length(sent: tuple[Tensor, ...]) -> Tensor:
        values = sent[0].flatten(2).transpose(1, 2)  # [B,positions,c]
        if coding.pad_bytes is not None:
            return torch.full((len(values),), float(coding.pad_bytes))
        codes = torch.minimum((torch.round(values / scale) + zero).clamp(min=0), top).long()
        bits = cost[torch.arange(len(coding.tables)), codes].flatten(1).sum(1)
        return ((bits + _STATE_BITS) / 8).ceil()

    return length
