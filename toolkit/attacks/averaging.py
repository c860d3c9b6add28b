"""Averaging: the same photo was sent n times; the attacker averages what differs between the messages.

Source: the averaging attacker of this project's method notes; independent noise shrinks by the root of n. Where
noise is memoised (RAPPOR, Erlingsson et al., CCS 2014) all n messages are equal and nothing is gained.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ._fitting import fit
from ._networks import SmallClassifier
from ._observing import averaged, examples
from ._pictures import PictureLoss, decode, shared_decoder
from ._scores import fit_classifier, scores
from .base import Attack, Knowledge, Messages

_TRIED = 16


class Averaging(Attack):
    """What one look gives, and better where looks differ."""

    yields: ClassVar = frozenset({"images", "attribute"})
    sees: ClassVar = "again"
    builds_on: ClassVar = "residual_decoder"
    work: ClassVar = {"decoder": 0.5, "small": 1.0}

    def __init__(self) -> None:
        self._network: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Go on from the decoder for one look, with averaged messages; a classifier starts from scratch."""
        self._knowledge = knowledge

        def arguments(index: Tensor) -> tuple[Tensor, ...]:
            return averaged(knowledge.observe(index))

        shapes = examples(knowledge, arguments)
        if knowledge.attribute is not None:
            self._network = fit_classifier(
                knowledge,
                lambda: SmallClassifier(shapes, knowledge.classes, knowledge.budget.width // 2),
                text="attribute, averaged looks",
                arguments=arguments,
            )
            return
        self._network = shared_decoder(knowledge)
        if _differ(knowledge.observe(torch.arange(min(_TRIED, len(knowledge.images))))):
            # the mean of many looks may lie far below the noise of one, by which the decoder standardises
            self._network = fit(
                knowledge,
                lambda: shared_decoder(knowledge).measure(shapes),
                PictureLoss(knowledge),
                text="decoder, averaged looks",
                arguments=arguments,
                share=0.5,
                search=False,
            )

    def run(self, messages: Messages) -> Tensor:
        """Attack n messages of each of B photos."""
        if self._network is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        work = decode if self._knowledge.attribute is None else scores
        return work(self._network, averaged(messages), self._knowledge.device)


def _differ(messages: Messages) -> bool:
    """Whether any two looks at one photo are not the same message."""
    return any(not torch.equal(one, one[:, :1].expand_as(one)) for one in messages.tensors)
