"""A cut network with a waist is a cut network again: encoder at the end of its head, decoder in front of its tail."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn
from torch.fx import GraphModule

from ...partition.layouts import Layout
from ...protections.base import Protection
from .decoder import Decoder
from .encoder import plain_encoder
from .symbols import Rounding

if TYPE_CHECKING:
    from ...partition.split import Split
    from .geometry import Geometry

_FLOAT32_BYTES = 4


class Chain(nn.Module):
    """Modules one behind the other; graphs among them keep the mode that they were exported in."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self._names = list(parts)
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, value: Tensor) -> Tensor:
        """Apply all of them."""
        for name in self._names:
            value = getattr(self, name)(value)
        return value

    def train(self, mode: bool = True) -> Self:
        """Pass the mode on, except to graphs."""
        self.training = mode
        for part in self.children():
            if not isinstance(part, GraphModule):
                part.train(mode)
        return self


@dataclass(frozen=True)
class Waist:
    """Both networks around the waist, in eval mode.

    Attributes:
        geometry: the shapes.
        encoder: features [B,C,H,W] -> z [B,c,h,w], in units of one code.
        decoder: codes [B,c,h,w] -> features [B,C,H,W].
    """

    geometry: Geometry
    encoder: nn.Module
    decoder: nn.Module

    @classmethod
    def empty(cls, geometry: Geometry) -> Waist:
        """Build one to load weights into."""
        return cls(geometry, plain_encoder(geometry), Decoder(geometry).eval())

    @property
    def encoder_macs(self) -> int:
        """Multiply-accumulates for one photo."""
        return _macs(self.encoder, self.geometry.features)

    @property
    def decoder_macs(self) -> int:
        """Multiply-accumulates for one photo."""
        return _macs(self.decoder, self.geometry.shape)

    @property
    def decoder_parameters(self) -> int:
        """Count of weights."""
        return sum(parameter.numel() for parameter in self.decoder.parameters())


class Coded(Protection):
    """A protection behind a waist together with the rounding that its message goes through: what an attacker sees."""

    trains = "nothing of its own"

    def __init__(self, inner: Protection) -> None:
        super().__init__(inner.features)
        self.inner = inner
        self.rounding = Rounding()
        self.strength = inner.strength

    def eps_shape(self) -> tuple[int, ...] | None:
        """Take what the protection takes."""
        return self.inner.eps_shape()

    def set_strength(self, strength: float) -> None:
        """Set the protection's."""
        self.inner.set_strength(strength)

    def forward(self, smashed: Tensor, eps: Tensor | None = None) -> Tensor:
        """Map z (and eps) to codes, whole numbers around 0 [B,c,h,w]."""
        codes: Tensor = self.rounding(self.inner(smashed) if eps is None else self.inner(smashed, eps))
        return codes

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report the protection's."""
        return self.inner.statistics(smashed)


def narrowed(halves: Split, waist: Waist) -> Split:
    """Put a waist between two halves: the head then gives z [B,c,h,w], the tail takes it, rounded or not."""
    shape = waist.geometry.shape
    crosser = replace(halves.cut.crossing[0], shape=shape, layout=Layout("NCHW"))
    cut = replace(
        halves.cut,
        shape=shape,
        crossing=(crosser,),
        bytes=_FLOAT32_BYTES * math.prod(shape),
        head_macs=halves.cut.head_macs + waist.encoder_macs,
        tail_macs=halves.cut.tail_macs + waist.decoder_macs,
    )
    head = Chain(head=halves.head, encoder=waist.encoder)
    tail = Chain(rounding=Rounding(), decoder=waist.decoder, tail=halves.tail)
    return replace(halves, head=head.eval(), tail=tail.eval(), cut=cut)


def _macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *shape))
    return int(counter.get_total_flops()) // 2
