"""What an attack is given, and what it hands back. An attack sees what crosses the network and nothing else.

Notation: B photos of N, channels x H x W; n messages (looks) of each; crossing tensors C x h x w.

The attacker knows everything but the victim's photos and its device's secret (Kerckhoffs): the app with its head,
how the noise is drawn, the coder, the message's length. It owns phones of its own and photos of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

#: what an attack may be after
Goal = Literal["images", "attribute", "links"]


@dataclass(frozen=True)
class Messages:
    """What crossed the network: n messages of each of B photos.

    Attributes:
        tensors: crossing tensors as the server reads them, each [B,n,C,h,w]: tokens lie on their grid, a vector
            has h = w = 1.
        bytes: [B,n] length of each message, which anyone on the way sees.
        guess: [B,*eps] each, the noise that the attacker's own phone drew at the very moment of each photo's first
            message; empty without noise. It is informative only where the noise depends on no secret.
    """

    tensors: tuple[Tensor, ...]
    bytes: Tensor
    guess: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.bytes)

    @property
    def looks(self) -> int:
        """Messages of each photo."""
        return self.bytes.shape[1]

    def __getitem__(self, rows: slice | Tensor) -> Messages:
        """The messages of some of the photos."""
        return Messages(
            tuple(tensor[rows] for tensor in self.tensors), self.bytes[rows], tuple(one[rows] for one in self.guess)
        )

    def first(self) -> Messages:
        """The first look at each photo alone."""
        return Messages(tuple(tensor[:, :1] for tensor in self.tensors), self.bytes[:, :1], self.guess)


@dataclass(frozen=True)
class Budget:
    """How hard an attacker that learns tries. See _fitting.py for what rounds are.

    Attributes:
        steps: of the first round, of `batch` photos each.
        rounds: at most this many; with 1 nobody learns whether more would help.
        rates: learning rates to choose from, by the validation loss.
        batch: photos per step.
        width: channels of the attackers' networks.
        bfloat16: convolutions in bfloat16 while training, where the processor has it; attacks run in float32.
    """

    steps: int = 400
    rounds: int = 3
    rates: tuple[float, ...] = (1e-3, 3e-3)
    batch: int = 64
    width: int = 64
    bfloat16: bool = True


@dataclass(frozen=True)
class Training:
    """How an attacker's training went, for the report.

    Attributes:
        what: which part of the attack.
        photos: it learned from, apart from those it was validated on.
        rate: the learning rate that won.
        steps: in all rounds.
        converged: the last round lowered the validation loss by less than one percent, or the loss stopped falling
            before its round ended.
        losses: validation loss, from the start to the end.
    """

    what: str
    photos: int
    rate: float
    steps: int
    converged: bool
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Knowledge:
    """What the attacker has beforehand: its own photos, never the victim's and never the test photos.

    Attributes:
        images: attacker-train photos [N,channels,H,W], preprocessed.
        attribute: [N] class index of the attacker's task for each, or None where it wants the photo.
        classes: number of classes of that task.
        observe: index [B] into `images` -> what crosses for those photos, as often and in the way in which the
            victim's will be seen; drawn anew at each call, for the attacker's own phone has another secret.
        single: likewise, one look at each photo, from a source of its own: what a shared decoder learns from is the
            same whichever attack trains it.
        head: (photos [B,...], eps [B,*eps] each; none for the mean noise) -> the tensors that cross [B,C,h,w], for
            white-box attacks; None for black-box ones.
        seed: seeds every draw of the attack.
        budget: how hard to try.
        device: where its networks are trained.
        landmarks: computes what the user's network makes of `images`: [N,F], the input of its last layer.
        shared: what attacks on the same victim share: a decoder that one has trained and others start from, and how its
            training went.
        log: trainings, as they end.
        progress: called with (steps done, steps in all, one line of text).
    """

    images: Tensor
    attribute: Tensor | None
    classes: int
    observe: Callable[[Tensor], Messages]
    single: Callable[[Tensor], Messages]
    head: Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]] | None
    seed: int
    budget: Budget = field(default_factory=Budget)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    landmarks: Callable[[], Tensor] | None = None
    shared: dict[str, tuple[nn.Module, Training]] = field(default_factory=dict)
    log: list[Training] = field(default_factory=list)
    progress: Callable[[int, int, str], None] = lambda done, total, text: None


class Attack(ABC):
    """One attack. Its file name is its name on the command line."""

    #: "images": `run` returns reconstructions; "attribute": class scores; both: what `Knowledge.attribute` asks for;
    #: "links": a place among photos, see `Linking`
    yields: ClassVar[frozenset[Goal]]
    #: what it sees of each photo: one message, the same photo sent again, or variants of it (near-duplicates)
    sees: ClassVar[Literal["one", "again", "variants"]] = "one"
    #: True for an attack that optimises each photo on its own: costly, so a report tries it on fewer
    optimises: ClassVar[bool] = False
    #: the attack whose training it starts from where it wants the photo (`Knowledge.shared`): it waits for that one
    builds_on: ClassVar[str | None] = None
    #: its training in steps of the budget, for the estimate: of a "decoder", a "small" or a "large" classifier
    work: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def train(self, knowledge: Knowledge) -> None:
        """Prepare on the attacker's own data (a decoder, a classifier); nothing for pure optimisation."""

    @abstractmethod
    def run(self, messages: Messages) -> Tensor:
        """Attack the messages of B photos.

        Returns:
            Reconstructions [B,channels,H,W] in preprocessed units, log-probabilities [B,classes], or places [B,D].
        """


class Linking(Attack):
    """An attack that finds a message's photo among known ones, by where both lie in a space of its own."""

    @abstractmethod
    def place(self, landmarks: Tensor) -> Tensor:
        """Map photos, given as `Knowledge.landmarks` gives them [M,F], into the space [M,D]."""
