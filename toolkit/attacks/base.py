"""What an attack is given, and what it hands back. An attack sees smashed features only.

Notation: N images, channels x H x W; smashed features C x h x w; n observations of one photo.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class Knowledge:
    """What the attacker has beforehand: its own images, never the victim's and never the test images.

    Attributes:
        images: attacker-train images [N,channels,H,W], preprocessed.
        attribute: [N] class index of the attacker's task for each, or None for reconstruction attacks.
        classes: number of classes of that task.
        observe: images [B,...] -> protected smashed features [B,C,h,w] with fresh eps at each call: the
            attacker owns the app, so it can run the protected head on its own photos.
        head: the head's weights, for white-box attacks; None for black-box ones.
        observations: how many protected feature maps of one photo it will get at a time; 1, or more for the
            averaging attacker, who prepares on what it will see.
        seed: seeds every draw of the attack.
        progress: called with (steps done, steps in all, one line of text).
    """

    images: Tensor
    attribute: Tensor | None
    classes: int
    observe: Callable[[Tensor], Tensor]
    head: nn.Module | None
    seed: int
    observations: int = 1
    progress: Callable[[int, int, str], None] = lambda done, total, text: None


class Attack(ABC):
    """One attack. Its file name is its name on the command line."""

    #: "images": `run` returns reconstructions; "attribute": it returns class scores
    yields: ClassVar[Literal["images", "attribute"]]
    #: True for an attack that optimises each photo on its own: costly, so a report tries it on fewer
    optimises: ClassVar[bool] = False

    @abstractmethod
    def train(self, knowledge: Knowledge) -> None:
        """Prepare on the attacker's own data (a decoder, a classifier); nothing for pure optimisation."""

    @abstractmethod
    def run(self, smashed: Tensor) -> Tensor:
        """Attack smashed features [B,n,C,h,w], n observations of each of B photos with fresh eps each.

        Returns:
            Reconstructions [B,channels,H,W] in preprocessed units, or attribute scores [B,classes].
        """
