"""What is put at a cut beside the network itself: a protection, and the waist that it may sit behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..protect.protected import features_of, protection_class
from ..protect.waist.geometry import LEVEL, Geometry, choose_geometry, of_colour, of_places
from ..protect.waist.modules import Waist
from .costs import costs_of_block

if TYPE_CHECKING:
    from ..partition.cuts import Cut
    from ..partition.network import Network
    from ..protections.base import Protection
    from ..records.plan import Encoding
    from .costs import Counts

#: bits of a code when nothing is known of which ones are frequent: the most that coding it costs
_BITS = math.log2(2 * LEVEL + 1)


@dataclass(frozen=True)
class Between:
    """Untrained, since weights do not change the time.

    Attributes:
        features: shape at the cut.
        block: the protection, or None.
        waist: around it, or None.
    """

    features: tuple[int, ...]
    block: Protection | None
    waist: Waist | None

    @cached_property
    def head_counts(self) -> Counts:
        """What the phone computes beyond its head, as `costs.KINDS`."""
        counts, shape = costs_of_block(nn.Identity(), self.features, None), self.features
        if self.waist is not None:
            counts, shape = costs_of_block(self.waist.encoder, shape, None), self.waist.geometry.shape
        return counts if self.block is None else counts + costs_of_block(self.block, shape, self.block.eps_shape())

    @cached_property
    def tail_counts(self) -> Counts:
        """What the server computes beyond its tail."""
        if self.waist is None:
            return costs_of_block(nn.Identity(), self.features, None)
        return costs_of_block(self.waist.decoder, self.waist.geometry.shape, None)

    @property
    def most_bytes(self) -> int | None:
        """A message behind the waist, at most on average: every code as likely as the others."""
        return None if self.waist is None else math.ceil(self.waist.geometry.symbols * _BITS / 8)


def between(network: Network, cuts: Sequence[Cut], protection: str, encoding: Encoding) -> dict[str, Between]:
    """Build what stands at each cut: {cut name: ...}; cuts of the same shapes share it."""
    made: dict[object, Between] = {}
    found = {}
    for cut in cuts:
        geometry = geometry_at(cut, network) if encoding == "waist" else None
        key = geometry or cut.shape
        if key not in made:
            made[key] = _between(cut.shape, geometry, protection)
        found[cut.name] = made[key]
    return found


def geometry_at(cut: Cut, network: Network) -> Geometry:
    """Choose the waist that `protect` chooses there: of colour photos it wants enough to train in two phases."""
    places = of_places([one.shape for one in network.outputs])
    return choose_geometry(
        features_of(cut.shape), network.image, cut.head_macs, deep=None, places=places,
        short=of_colour(network.image) and not places, tail_macs=cut.tail_macs,
    )  # fmt: skip


def block_of(protection: str, shape: tuple[int, ...]) -> Protection | None:
    """Build the untrained block for features of this shape."""
    if protection == "none":
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return protection_class(protection).build(features_of(shape), {}).eval().requires_grad_(False)


def _between(shape: tuple[int, ...], geometry: Geometry | None, protection: str) -> Between:
    if geometry is None:
        return Between(shape, block_of(protection, shape), None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        waist = Waist.empty(geometry)
    return Between(shape, block_of(protection, geometry.shape), waist)
