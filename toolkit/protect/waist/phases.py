"""What learns when: everything at once, or first the phone's part on a short path and then the server's.

The short path is a small classifier of the codes. Gradients that come through decoder and tail say little about a
narrow waist: at a ResNet's middle cut, 32 codes kept 0.922 of the accuracy after three epochs through decoder and
tail and 0.976 through the classifier (benchmarks/privacy/photos). Decoder and tail then learn from what is sent, and
end better than the classifier. It wants many photos: on a few thousand digits it is worse [ours].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

#: what learns, at which rate; noise and frequencies start at nothing, so they learn faster
_RATES: dict[str, tuple[tuple[tuple[str, ...], float], ...]] = {
    "whole": ((("encoder", "decoder"), 1e-3), (("noise", "symbols"), 3e-3), (("head", "tail"), 2e-4)),
    "phone": ((("encoder", "short"), 1.5e-3), (("noise", "symbols"), 3e-3), (("head",), 3e-4)),
    "server": ((("decoder",), 2e-3), (("tail",), 5e-4)),
}
#: trained from weights that are good already: their gradients are not clipped with those of the others
_TUNED = ("head", "tail")
#: share of the epochs in which decoder and tail learn from what is sent
_SERVERS_SHARE = 0.18
#: photos that training on a waist wants: 289 were too few, 28,000 enough
ENOUGH = 5000
#: epochs where nobody chose them: of one phase; of two at least and at most, so that as many photos as that are seen
#: in all. At middle cuts 40 epochs of 40,000 photos end in half the bytes of 17 (benchmarks/privacy/photos) [ours]
_EPOCHS, _LEAST_IN_TWO, _MOST_IN_TWO, _SEEN = 16, 16, 40, 1_600_000
#: fewer epochs leave nothing to divide
_LEAST_EPOCHS = 3
#: share of a phase in which photos are mixed; in the end everything sees photos as they will come
_MIXED = 0.75
_HIDDEN = 256


@dataclass(frozen=True)
class Phase:
    """Some of the training's epochs, in which the same modules learn.

    Attributes:
        learns: everything, the phone's part on the short path, or the server's part.
        first: epoch, counted from 0.
        epochs: how many.
    """

    learns: Literal["whole", "phone", "server"]
    first: int
    epochs: int

    @property
    def mixed(self) -> range:
        """The epochs in which photos are mixed with one another."""
        count = 0 if self.learns == "whole" else max(int(_MIXED * self.epochs), self.epochs > 1)
        return range(self.first, self.first + count)


def in_two_phases(train: str, photos: int, *, places: bool) -> bool:
    """Whether the phone's part learns first and the server's after it; `phases_of` makes one of very few epochs.

    Args:
        train: what is trained, "all" for head and tail too.
        photos: to train on.
        places: whether the network's answer says something of every place, see geometry.of_places.
    """
    return train == "all" and photos >= ENOUGH and not places


def usual_epochs(photos: int, *, two_phases: bool) -> int:
    """How often the photos are gone over where nobody says how often."""
    return min(max(_SEEN // photos, _LEAST_IN_TWO), _MOST_IN_TWO) if two_phases else _EPOCHS


def phases_of(epochs: int, *, short: bool) -> list[Phase]:
    """Divide the epochs."""
    if not short or epochs < _LEAST_EPOCHS:
        return [Phase("whole", 0, epochs)]
    last = max(round(_SERVERS_SHARE * epochs), 1)
    return [Phase("phone", 0, epochs - last), Phase("server", epochs - last, last)]


class ShortPath(nn.Module):
    """Codes [B,c,h,w] -> answers [B,K], past decoder and tail; only training needs it.

    Args:
        shape: (c, h, w) of the codes.
        answers: K.
    """

    def __init__(self, shape: tuple[int, int, int], answers: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.gather = nn.Conv2d(channels, _HIDDEN, (height, width))
        self.norm = nn.BatchNorm2d(_HIDDEN)
        self.answer = nn.Linear(_HIDDEN, answers)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes to answers."""
        found: Tensor = self.answer(self.norm(self.gather(codes)).relu().flatten(1))
        return found


class Learner:
    """AdamW and one cycle of learning rates over one phase.

    Args:
        phase: what learns.
        modules: by name; those that the phase names and that are there learn.
        steps: of the phase.
    """

    def __init__(self, phase: Phase, modules: Mapping[str, nn.Module], steps: int) -> None:
        self.phase = phase
        self.clipped: list[nn.Parameter] = []
        self.learning: list[nn.Parameter] = []
        groups, rates = [], []
        for names, rate in _RATES[phase.learns]:
            found = [p for name in names if name in modules for p in modules[name].parameters()]
            if found:
                groups.append({"params": found, "lr": rate})
                rates.append(rate)
                self.learning += found
                self.clipped += [] if names[0] in _TUNED else found
        self.adam: Optimizer = torch.optim.AdamW(groups, weight_decay=1e-4, betas=(0.9, 0.98))
        self.schedule: LRScheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.adam, rates, total_steps=max(steps, 2), pct_start=0.15, cycle_momentum=False
        )

    @property
    def parts(self) -> dict[str, Optimizer | LRScheduler]:
        """What a checkpoint keeps of it."""
        return {f"{self.phase.learns} adam": self.adam, f"{self.phase.learns} schedule": self.schedule}
