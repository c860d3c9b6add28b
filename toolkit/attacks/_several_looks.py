"""What attacks have in common that were sent several messages of one photo: the same, or versions of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ._pictures import decode
from ._scores import scores
from .base import Attack, Knowledge, Messages

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ._fitting import Arguments


class SeveralLooks(Attack):
    """A classifier from scratch for an attribute; for pictures, what one look gives and what further looks add."""

    yields: ClassVar = frozenset({"images", "attribute"})
    builds_on: ClassVar = "residual_decoder"

    def __init__(self) -> None:
        self._network: nn.Module | None = None
        self._knowledge: Knowledge | None = None

    def train(self, knowledge: Knowledge) -> None:
        """Fit a network to what it reads of n messages of each photo."""
        self._knowledge = knowledge

        def arguments(index: Tensor) -> tuple[Tensor, ...]:
            return self._read(knowledge.observe(index))

        fitted = self._decoder if knowledge.attribute is None else self._classifier
        self._network = fitted(knowledge, arguments)

    def run(self, messages: Messages) -> Tensor:
        """Attack n messages of each of B photos."""
        if self._network is None or self._knowledge is None:
            raise RuntimeError("train() comes before run()")
        work = decode if self._knowledge.attribute is None else scores
        return work(self._network, self._read(messages), self._knowledge.device)

    @abstractmethod
    def _read(self, messages: Messages) -> tuple[Tensor, ...]:
        """What the network is given of n messages of each photo."""

    @abstractmethod
    def _classifier(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        """A network for the attribute."""

    @abstractmethod
    def _decoder(self, knowledge: Knowledge, arguments: Arguments) -> nn.Module:
        """A network for pictures."""
