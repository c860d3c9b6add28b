"""Is a network right more often than by chance? If not, data and network do not belong together as they were given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from ..errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

#: fewer labelled photos say nothing
_LEAST = 20
#: standard errors between luck and knowledge
_SIGMAS = 4.0
#: how far accuracy may fall below the recorded one and still come from another sample of the same data
_LEAST_FALL = 0.1


def refuse_chance(
    answers: Tensor,
    labels: Tensor,
    spec: str,
    recorded: float | None = None,
    escape: str = ", or go on with --anyway",
) -> float:
    """Return the share of right answers, unless it says that something was mixed up.

    Chance is what the same answers would score if they had nothing to do with the labels: the sum over classes of
    how often each is answered times how often it is true. So a network that always answers the most frequent class is
    at chance, however frequent that class is.

    Args:
        answers: [N] predicted class indices.
        labels: [N] true ones; -1 where unlabelled.
        spec: the data set, for the message.
        recorded: the accuracy that `pripro partition --data` measured, or None.
        escape: how a user goes on all the same, for the message.

    Raises:
        InputError: the share lies near chance, or far below `recorded`.
    """
    known = labels >= 0
    answers, labels = answers[known], labels[known]
    count = len(labels)
    if count == 0:
        return math.nan
    share = (answers == labels).float().mean().item()
    classes = int(max(answers.max(), labels.max())) + 1
    answered, true = (torch.bincount(each, minlength=classes).double() / count for each in (answers, labels))
    chance = float((answered * true).sum())
    error = math.sqrt(max(chance * (1 - chance), 1e-12) / count)
    # one class only, in the answers and in the data: nothing can be mixed up
    if count >= _LEAST and chance < 1 and share <= chance + _SIGMAS * error:
        raise InputError(
            f"The unprotected network is right about {share:.1%} of {count} photos of {spec}, and would be right about "
            f"{chance:.1%} by chance. That usually means that the classes are not in the network's order (--labels), "
            "that photos are preprocessed differently than in training (--preprocess, --mean, --std, --resize), or "
            f"that --weights are not the trained ones; correct that{escape}."
        )
    spread = math.sqrt(max(share * (1 - share), 0.01) / count)
    if recorded is not None and count >= _LEAST and share < recorded - max(_LEAST_FALL, _SIGMAS * spread):
        raise InputError(
            f"The unprotected network is right about {share:.1%} of {count} photos of {spec}, and was right about "
            f"{recorded:.1%} when the bundle was made. That usually means that this is other data, that some of its "
            "classes are paired wrongly, or that its photos are of another kind; give the data that the network was "
            f"trained for{escape}."
        )
    return share
