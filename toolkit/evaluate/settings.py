"""What a user chooses for `pripro evaluate`, and what the three efforts mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ..attacks.base import Budget
from ..records.settings import Seed, Settings
from ..records.wire import HeadWire

EffortName = Literal["quick", "standard", "thorough"]


@dataclass(frozen=True)
class Effort:
    """How hard an evaluation tries.

    Attributes:
        attacks: names, the strongest last where they build on one another.
        unprotected: of these, the ones that also attack the unprotected network: PI is measured against the best.
        budget: of each attacker.
        attacker_images: at most this many; None: all.
        test_images: at most this many.
        learning: whether the strongest attacker is trained again on a quarter and on half of its photos.
        draws: attacks on each test image.
    """

    attacks: tuple[str, ...]
    unprotected: tuple[str, ...]
    budget: Budget
    attacker_images: int | None
    test_images: int
    learning: bool
    draws: int


_EVERY = (
    "residual_decoder", "adversarial_decoder", "prior_decoder", "rmle", "linker", "attribute", "attribute_large",
    "message_length", "averaging", "near_duplicates",
)  # fmt: skip
_LAST_UNPROTECTED = ("linker", "attribute", "attribute_large")
EFFORTS: dict[EffortName, Effort] = {
    "quick": Effort(
        attacks=("residual_decoder", "attribute", "message_length", "averaging"),
        unprotected=("residual_decoder", "attribute"),
        budget=Budget(steps=120, rounds=1, rates=(3e-3,), width=32),
        attacker_images=1000,
        test_images=300,
        learning=False,
        draws=1,
    ),
    "standard": Effort(
        attacks=_EVERY,
        unprotected=("residual_decoder", *_LAST_UNPROTECTED),
        budget=Budget(steps=300, rounds=2, rates=(1e-3, 3e-3), width=64),
        attacker_images=None,
        test_images=1000,
        learning=True,
        draws=1,
    ),
    "thorough": Effort(
        attacks=_EVERY,
        unprotected=("residual_decoder", "adversarial_decoder", "prior_decoder", *_LAST_UNPROTECTED),
        budget=Budget(steps=4000, rounds=8, rates=(3e-4, 1e-3, 3e-3), width=96),
        attacker_images=None,
        test_images=5000,
        learning=True,
        draws=2,
    ),
}


class EvaluateSettings(Settings):
    """What a user chooses. None: what the effort says.

    Attributes:
        data: the data set; None = the one that the bundle was protected with.
        effort: quick (a look), standard (a report), thorough (until more effort gains nothing).
        attacks: names.
        observations: how often the averaging attacker sees each photo.
        variants: how many versions of a photo the near-duplicates attacker sees.
        attributes: what attribute inference is after: slant, stroke, brightness, label, a label column of the data,
            FILE.csv:COLUMN or class-of:FOLDER; empty = slant for digits, else brightness.
        compare: methods whose PA-PI curve stands beside the bundle's.
        attacker_images: at most this many.
        test_images: at most this many.
        seed: of everything drawn.
        wire: what crosses the network, float32 or the bundle's uint8 codes; the unprotected network sends float32.
        device: where attackers are trained: cpu, cuda, or auto.
    """

    data: str | None = None
    effort: EffortName = "standard"
    attacks: tuple[str, ...] = ()
    observations: tuple[Annotated[int, Field(ge=1)], ...] = (10,)
    variants: Annotated[int, Field(ge=2)] = 5
    attributes: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    attacker_images: Annotated[int, Field(ge=20)] | None = None
    test_images: Annotated[int, Field(ge=20)] | None = None
    seed: Seed = 0
    wire: HeadWire = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def tried(self) -> Effort:
        """The effort by its name."""
        return EFFORTS[self.effort]

    @property
    def names(self) -> tuple[str, ...]:
        """The attacks that are run."""
        return self.attacks or self.tried.attacks
