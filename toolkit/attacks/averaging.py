"""Averaging: the same photo was sent n times; the attacker averages what differs between the messages.

Source: the averaging attacker of this project's method notes; independent noise shrinks by the root of n. Where
noise is memoised (RAPPOR, Erlingsson et al., CCS 2014) all n messages are equal and nothing is gained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from ._fitting import fit
from ._networks import SmallClassifier
from ._observing import averaged, examples
from ._pictures import PictureLoss, shared_decoder
from ._scores import fit_classifier
from ._several_looks import SeveralLooks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ._fitting import Arguments
    from .base import Knowledge, Messages

_TRIED = 16


class Averaging(SeveralLooks):
    """What one look gives, and better where looks differ."""

    sees: ClassVar = "again"
    work: ClassVar = {"decoder": 0.5, "small": 1.0}

    def _read(self, messages: Messages) -> tuple[Tensor, ...]:
        return averaged(messages)

    def _classifier(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        shapes = examples(knowledge, arguments)
        return fit_classifier(
            knowledge,
            lambda: SmallClassifier(shapes, knowledge.classes, knowledge.budget.width // 2),
            text="attribute, averaged looks",
            arguments=arguments,
        )

    def _decoder(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        shapes = examples(knowledge, arguments)
        decoder = shared_decoder(knowledge)
        if not _differ(knowledge.observe(torch.arange(min(_TRIED, len(knowledge.images))))):
            return decoder
        # the mean of many looks may lie far below the noise of one, by which the decoder standardises
        return fit(
            knowledge,
            lambda: shared_decoder(knowledge).measure(shapes),
            PictureLoss(knowledge),
            text="decoder, averaged looks",
            arguments=arguments,
            share=0.5,
            search=False,
        )


def _differ(messages: Messages) -> bool:
    """Whether any two looks at one photo are not the same message."""
    return any(not torch.equal(one, one[:, :1].expand_as(one)) for one in messages.tensors)
