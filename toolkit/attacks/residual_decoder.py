"""Residual decoder: residual blocks with attention to all positions, L1, structure and feature-space loss.

The default attacker of reconstructions. Source: the inverse network of He et al., ACSAC 2019, with current building
blocks: residual blocks (He et al., CVPR 2016), attention (Vaswani et al., 2017), trained until its validation loss
stops falling. [ours] the form.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ._observing import reader
from ._pictures import decode, shared_decoder, shared_training
from .base import Attack, Knowledge, Messages


class ResidualDecoder(Attack):
    """Rebuild the photo from one message, in one pass."""

    yields: ClassVar = frozenset({"images"})
    work: ClassVar = {"decoder": 1.0}

    def __init__(self) -> None:
        self._decoder: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Train the decoder from scratch, or take over the shared one."""
        self._knowledge = knowledge
        self._read = reader(knowledge)
        self._decoder = shared_decoder(knowledge)
        knowledge.log.append(shared_training(knowledge))

    def run(self, messages: Messages) -> Tensor:
        """Decode B photos' messages -> [B,channels,H,W]."""
        if self._decoder is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        return decode(self._decoder, self._read(messages), self._knowledge.device)
