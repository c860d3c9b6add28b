"""Near-duplicates: shifted, re-compressed and brighter versions of one photo were sent, such as frames of a video.

Memoised noise does not help here: another photo, however like the first, draws independent noise. The attacker's
network reads each message on its own and averages what it found. [ours]; sets of inputs as in Zaheer et al.,
"Deep Sets", NeurIPS 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._fitting import fit
from ._networks import LargeClassifier
from ._observing import each_look, examples
from ._pictures import PictureLoss, shared_decoder
from ._scores import fit_classifier
from ._several_looks import SeveralLooks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ._fitting import Arguments
    from .base import Knowledge, Messages


class NearDuplicates(SeveralLooks):
    """One picture, or one answer, from messages of several versions of a photo; the first one is what it is after."""

    sees: ClassVar = "variants"
    work: ClassVar = {"decoder": 0.25, "large": 0.25}

    def _read(self, messages: Messages) -> tuple[Tensor, ...]:
        return each_look(messages)

    def _classifier(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        shapes = examples(knowledge, arguments, 64)
        return fit_classifier(
            knowledge,
            lambda: LargeClassifier(shapes, knowledge.classes, knowledge.budget.width, per_look=True),
            text="attribute, near-duplicates",
            arguments=arguments,
            share=0.25,
        )

    def _decoder(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        return fit(
            knowledge,
            lambda: shared_decoder(knowledge).look_at_all(),
            PictureLoss(knowledge),
            text="decoder, near-duplicates",
            arguments=arguments,
            share=0.25,
            search=False,
        )
