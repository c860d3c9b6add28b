"""Near-duplicates: shifted, re-compressed and brighter versions of one photo were sent, such as frames of a video.

Memoised noise does not help here: another photo, however like the first, draws independent noise. The attacker's
network reads each message on its own and averages what it found. [ours]; sets of inputs as in Zaheer et al.,
"Deep Sets", NeurIPS 2017.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from ._fitting import fit
from ._networks import LargeClassifier
from ._observing import each_look, examples
from ._pictures import PictureLoss, decode, shared_decoder
from ._scores import fit_classifier, scores
from .base import Attack, Knowledge, Messages


class NearDuplicates(Attack):
    """One picture, or one answer, from messages of several versions of a photo; the first one is what it is after."""

    yields: ClassVar = frozenset({"images", "attribute"})
    sees: ClassVar = "variants"
    builds_on: ClassVar = "residual_decoder"
    work: ClassVar = {"decoder": 0.25, "large": 0.25}

    def __init__(self) -> None:
        self._network: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Go on from the decoder for one look; a classifier starts from scratch."""
        self._knowledge = knowledge

        def arguments(index: Tensor) -> tuple[Tensor, ...]:
            return each_look(knowledge.observe(index))

        if knowledge.attribute is not None:
            shapes = examples(knowledge, arguments, 64)
            self._network = fit_classifier(
                knowledge,
                lambda: LargeClassifier(shapes, knowledge.classes, knowledge.budget.width, per_look=True),
                text="attribute, near-duplicates",
                arguments=arguments,
                share=0.25,
            )
            return

        self._network = fit(
            knowledge,
            lambda: shared_decoder(knowledge).look_at_all(),
            PictureLoss(knowledge),
            text="decoder, near-duplicates",
            arguments=arguments,
            share=0.25,
            search=False,
        )

    def run(self, messages: Messages) -> Tensor:
        """Attack n messages of each of B photos."""
        if self._network is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        work = decode if self._knowledge.attribute is None else scores
        return work(self._network, each_look(messages), self._knowledge.device)
