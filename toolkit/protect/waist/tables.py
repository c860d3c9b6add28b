"""Integer frequency tables: how often each code occurs in each channel of the waist, measured on protected photos."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from cloud_tail.coder import Coder
from cloud_tail.coding import PRECISION_BITS, Coding, frequencies, table_id

from ...inference import seeded, smash
from ...records import bundle as records
from .geometry import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ...datasets._data import Part
    from ...protections.base import Protection

#: added to each count, so that every code can be sent (Krichevsky and Trofimov, 1981)
_UNSEEN = 0.5
#: photos that frequencies are counted on, at most
_COUNTED = 2000
#: a padded message is as long as all but one in a thousand need
_PADDED = 0.999


@torch.no_grad()
def codes_of(head: torch.nn.Module, protection: Protection, images: Tensor, seed: int) -> NDArray[np.uint8]:
    """What crosses for images [N,C,H,W] with fresh noise: codes [N,c,h,w].

    Args:
        head: image -> z, in units of one code.
        protection: of z.
        images: preprocessed.
        seed: of the noise.
    """
    generator = seeded(seed)
    made = [smash(protection, head(part), generator) for part in images.split(128)]
    codes: NDArray[np.uint8] = to_codes(torch.cat(made)).numpy()
    return codes


def to_codes(smashed: Tensor) -> Tensor:
    """Round values [B,c,h,w] to codes 0..2 LEVEL, uint8."""
    return (torch.round(smashed) + LEVEL).clamp(0, 2 * LEVEL).to(torch.uint8)


def coding_for(codes: NDArray[np.uint8], *, pad: bool) -> records.Coding:
    """Make the tables for codes [N,c,h,w], and the padded length where one is wanted."""
    levels, channels = 2 * LEVEL + 1, codes.shape[1]
    counts = [np.bincount(codes[:, channel].ravel(), minlength=levels) + _UNSEEN for channel in range(channels)]
    tables = [list(frequencies([float(count) for count in row])) for row in counts]
    coding = records.Coding(
        coder="rans-1",
        table_id=table_id(tables),
        precision_bits=PRECISION_BITS,
        levels=[levels] * channels,
        scale=[1.0] * channels,
        zero_point=[LEVEL] * channels,
        tables=tables,
    )
    if not pad:
        return coding
    lengths = message_lengths(coding, codes)
    return coding.model_copy(update={"pad_bytes": math.ceil(np.quantile(lengths, _PADDED))})


def coding_of(head: torch.nn.Module, protection: Protection, learned: Part, seed: int, *, pad: bool) -> records.Coding:
    """Make the tables from what crosses for photos that the waist was trained on, some thousands at most."""
    return coding_for(codes_of(head, protection, learned.photos[:_COUNTED], seed), pad=pad)


def as_coding(coding: records.Coding) -> Coding:
    """Convert it to cloud_tail's own type, which its coder takes."""
    return Coding.from_dict(coding.model_dump())


def message_lengths(coding: records.Coding, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Length in bytes [N] of the messages of codes [N,c,h,w]."""
    coder = Coder(as_coding(coding), tuple(codes.shape[1:]))
    return np.array([len(coder.encode(row)) for row in codes], dtype=np.int64)


def ideal_bits(tables: Sequence[Sequence[int]], codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Information in bits [N] of codes [N,c,h,w] under the tables: what an ideal coder would need."""
    cost = -np.log2(np.asarray(tables, np.float64) / (1 << PRECISION_BITS))  # [c,levels]
    channel = np.arange(codes.shape[1])[None, :, None, None]
    bits: NDArray[np.float64] = cost[channel, codes].sum((1, 2, 3))
    return bits


def as_wire(waist: records.Waist) -> records.TensorSpec:
    """Describe the codes as a uint8 tensor, for clients that send them without entropy coding."""
    return records.TensorSpec(
        name="smashed",
        dtype="uint8",
        shape=[-1, *waist.shape],
        scale=waist.coding.scale,
        zero_point=waist.coding.zero_point,
    )
