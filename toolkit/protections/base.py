"""What a protection is: a module fused behind the head, with at most one input of fresh noise.

Notation: B batch, C x h x w smashed features, K classes.

No protection draws random numbers itself. Those that need noise take it as a second input,
`eps`, always standard normal (a phone then needs one secure generator and one distribution);
uniform masks or Laplace noise are computed from it inside the graph.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn

from ..errors import InputError, UnknownNameError
from ..tasks.base import Task
from ..tasks.classify import Classify
from ._devices import ALONE, Devices

if TYPE_CHECKING:
    from ..datasets._lazy import LazyImages

FeatureShape = tuple[int, int, int]


@dataclass
class Training:
    """What a protection may learn from. Only victim-train images are ever in here.

    Attributes:
        head: image [B,*] -> smashed [B,C,h,w]; frozen unless the protection's `trains_head` is True.
        tail: smashed -> logits [B,K], all of the network's outputs; always frozen, in eval mode.
        images: [N,channels,H,W], preprocessed; lazy ones are decoded as they are needed.
        labels: [N], class indices; without labels, the group of the unprotected network's answer.
        task: what the network is for.
        labelled: whether `labels` say what is right; if not, the unprotected network's answers do.
        reference: image [B,*] -> its answers [B,K]; None: those of the tail to the features before protection.
        seed: seeds every draw of the training.
        epochs: passes over `images`.
        batch_size: images per step.
        options: the protection's own settings, by name; unknown names are refused by it.
        progress: called with (steps done, steps in all, one line of text).
        checkpoint: called with a resumable state now and then; see `resume_from`.
        resume_from: the state that `checkpoint` was last given, or None.
        devices: where the arithmetic happens; head, tail and protection are there already.
        scratch: a folder for features that memory has no room for, or None.
        tell: called once with how long it will take and what it will use.
    """

    head: nn.Module
    tail: nn.Module
    images: Tensor | LazyImages
    labels: Tensor
    task: Task = field(default_factory=Classify)
    labelled: bool = True
    reference: Callable[[Tensor], Tensor] | None = None
    seed: int = 0
    epochs: int = 5
    batch_size: int = 64
    options: dict[str, float] = field(default_factory=dict)
    progress: Callable[[int, int, str], None] = lambda done, total, text: None
    checkpoint: Callable[[dict[str, object]], None] = lambda state: None
    resume_from: dict[str, object] | None = None
    devices: Devices = ALONE
    scratch: Path | None = None
    tell: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Sent:
    """One batch behind a waist, as a method's own privacy term sees it.

    Attributes:
        images: [B,channels,H,W].
        smashed: the encoder's output z before protection [B,c,h,w], in units of one code.
        codes: what crosses, as whole numbers around 0 [B,c,h,w]; gradients pass through the rounding.
        answers: the unprotected network's top class [B].
        classes: how many there are.
    """

    images: Tensor
    smashed: Tensor
    codes: Tensor
    answers: Tensor
    classes: int


class Protection(nn.Module, ABC):
    """One method. Its file name is its name on the command line.

    `strength` multiplies the noise at run time (1 = as trained, 0 = none); the search behind
    `--max-accuracy-drop` moves it. It is a buffer, so it travels with the weights.
    """

    #: one line for tables: what it trains
    trains: ClassVar[str]
    #: True where `fit` changes the head's weights (nopeek, adversarial, cem)
    trains_head: ClassVar[bool] = False
    #: option name -> default, for `Training.options`; a default that is an int asks for whole numbers from 1
    options: ClassVar[dict[str, float]] = {}
    #: those whose default is another behind a waist
    behind_waist: ClassVar[dict[str, float]] = {}
    #: those of them that lie between 0 and 1
    shares: ClassVar[tuple[str, ...]] = ()
    #: raised when what `fit` stores or computes changes; bundles of an earlier one are then protected anew
    revision: ClassVar[int] = 1
    strength: Tensor

    def __init__(self, features: FeatureShape) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("strength", torch.tensor(1.0))

    def eps_shape(self) -> tuple[int, ...] | None:
        """Shape of the noise input without its batch axis, or None where the method takes none."""
        return self.features

    @classmethod
    def build(cls, features: FeatureShape, options: dict[str, float] | None = None) -> Self:
        """Construct from options: those that shape the module go to its constructor, the others are `fit`'s.

        Raises:
            UnknownNameError: an option that this method does not have.
        """
        chosen = cls.settings(options)
        shaping = inspect.signature(cls.__init__).parameters.keys() - {"self", "features"}
        return cls(features, **{name: chosen[name] for name in sorted(shaping & chosen.keys())})

    @classmethod
    def settings(cls, options: dict[str, float] | None = None) -> dict[str, float]:
        """Return every option of the method, defaults filled in.

        Raises:
            UnknownNameError: an option that this method does not have.
            InputError: a number that does not fit.
        """
        method = cls.__module__.rpartition(".")[2]
        for name, value in (options or {}).items():
            if name not in cls.options:
                raise UnknownNameError(f"option of protection {method}", name, cls.options)
            wanted = cls._unfit(name, value)
            if wanted:
                raise InputError(
                    f"The option {name} of protection {method} cannot be {value:g}; give {wanted}, such as "
                    f"{cls.options[name]:g}."
                )
        return {**cls.options, **(options or {})}

    @classmethod
    def _unfit(cls, name: str, value: float) -> str:
        """What an option must be and is not; empty where it fits."""
        default = cls.options[name]
        if isinstance(default, int) and not (math.isfinite(value) and value == int(value) >= 1):
            return "a whole number of at least 1"
        if name in cls.shares and not 0 <= value <= 1:
            return "a number from 0 to 1"
        if not math.isfinite(value) or value < min(default, 0):
            return "a finite number" if default < 0 else "a number of at least 0"
        return ""

    def set_strength(self, strength: float) -> None:
        """Set how strong the noise is at run time; methods that derive other buffers from it extend this."""
        self.strength.fill_(strength)

    @abstractmethod
    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed [B,C,h,w], eps [B,*eps_shape] -> protected features [B,C,h,w].

        A method without noise (`eps_shape()` is None) takes `smashed` alone.
        """

    def fit(self, training: Training) -> None:
        """Learn from victim-train data; the default method has nothing to learn."""

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Take a place behind a waist, whose values have a spread of about one code; `fit` is not called then.

        Args:
            options: those that the user named; defaults of `options` are for features, not for a waist.
            generator: draws first weights.
        """

    def channel(self, smashed: Tensor) -> tuple[Tensor, Tensor] | None:
        """What smashed [B,C,h,w] becomes without eps, and the variance that eps adds, each [B,C,h,w].

        None where the noise, given the photo, is not independent and Gaussian.
        """
        return None

    def hidden(self, sent: Sent) -> Tensor | None:
        """The method's own privacy term behind a waist, about one per bit that leaks; None where it has none."""
        return None

    def opponent(self, image: tuple[int, int, int]) -> nn.Module | None:
        """A network [B,c,h,w] -> [B,*image] that rebuilds photos from codes, to be trained against, or None."""
        return None

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Figures that show that noise is there, such as mean W_A and mean sigma, over a batch [B,C,h,w]."""
        return {}

    def draw_eps(self, batch: int, generator: torch.Generator) -> Tensor | None:
        """Fresh noise [B,*eps_shape] for host-side use; phones draw theirs from the system's secure generator."""
        shape = self.eps_shape()
        return None if shape is None else torch.randn((batch, *shape), generator=generator)
