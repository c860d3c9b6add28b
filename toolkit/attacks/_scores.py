"""What attacks that want an attribute share: training and scoring a classifier of messages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._fitting import Arguments, Network, applied, fit
from .base import Knowledge


def fit_classifier(
    knowledge: Knowledge,
    build: Callable[[], Network],
    *,
    text: str,
    arguments: Arguments,
    share: float = 1.0,
    search: bool = True,
) -> Network:
    """Train on cross entropy with the attacker's attribute.

    Raises:
        ValueError: the knowledge holds no attribute.
    """
    attribute = knowledge.attribute
    if attribute is None:
        raise ValueError("attribute inference needs the attribute of the attacker's images")

    def loss_of(made: Tensor, index: Tensor) -> Tensor:
        return functional.cross_entropy(made, attribute[index].to(made.device))

    return fit(knowledge, build, loss_of, text=text, arguments=arguments, share=share, search=search)


def scores(classifier: nn.Module, inputs: tuple[Tensor, ...], device: torch.device) -> Tensor:
    """Log-probabilities [B,classes] on the host, in float32."""
    return torch.log_softmax(applied(classifier, inputs, device), dim=1)
