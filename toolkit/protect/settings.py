"""What a user chooses for `pripro protect`: [protect] of a deploy.toml."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..records.settings import Ratio, Seed, Settings, Share

#: the paper's injector alone; encoder and decoder too; head and tail as well
Train = Literal["injector", "waist", "all"]
#: what a waist has to keep of an answer: how every class scored, or the class alone
Answer = Literal["scores", "class"]
#: of a waist: two convolutions, or a small network beside them; auto: the latter where there are photos enough
Encoder = Literal["auto", "flat", "deep"]
#: settings that only a waist has, and what they are where nobody chose
_OF_A_WAIST = {
    "channels": None, "stride": None, "encoder": "auto", "encoder_work": None, "max_bytes": None, "pad": False,
    "answer": "scores",
}  # fmt: skip


class ProtectSettings(Settings):
    """The method, its budget and what the search aims at. Both searches None: the strength stays as trained.

    Attributes:
        method: name of the protection.
        data: the data set, such as folder:DIR; None for methods that need none.
        max_accuracy_drop: a share (0.01 = one percentage point), also "1%"; the strongest noise within it.
        min_pi: the weakest noise with at least this PI against a retrained attribute attacker.
        epochs: passes over the training images; None: 40 where head and tail are trained on 5,000 photos or more (fewer
            of more than 40,000), else 16.
        batch_size: images per training step.
        seed: seeds training and search.
        options: the method's own settings.
        anyway: go on where the unprotected network is right about the data no more often than by chance.
        train: injector: the paper's block alone, head and tail untouched; waist: an encoder and a decoder around it;
            all: head and tail fine-tuned too; auto: all for colour photos if there are enough of them, else injector.
        channels: of the waist; None: as fits the cut.
        stride: positions of the cut, per side, to one of the waist; None: as fits the cut.
        encoder: of the waist; flat: two convolutions; deep: a small network beside them, for early and middle cuts;
            auto: deep there, if head and tail are trained on photos enough and the head's work leaves room, else flat.
        encoder_work: most that the deep branch may compute, as a share of the head's work (0.6, also "60%"); given,
            there is one; None: 9 %.
        answer: of a waist; scores: every class's score is distilled; class: the class alone, so that less crosses.
        max_bytes: most bytes of a message on average, with a waist.
        pad: whether all messages have one length, with a waist.
        noise: memoised: the same photo on the same device always gives the same message; fresh: a new draw each time.
    """

    method: str = "pripro"
    data: str | None = None
    max_accuracy_drop: Share | None = None
    min_pi: Share | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 64
    seed: Seed = 0
    options: dict[str, float] = Field(default_factory=dict)
    anyway: bool = False
    train: Train | Literal["auto"] = "auto"
    channels: Annotated[int, Field(ge=1)] | None = None
    stride: Annotated[int, Field(ge=1)] | None = None
    encoder: Encoder = "auto"
    encoder_work: Ratio | None = None
    answer: Answer = "scores"
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    pad: bool = False
    noise: Literal["memoised", "fresh"] = "memoised"

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.max_accuracy_drop is not None and self.min_pi is not None:
            raise ValueError(
                "--min-pi and --max-accuracy-drop (min_pi and max_accuracy_drop in deploy.toml) are two directions of "
                "one search; give one of them."
            )
        return self

    @model_validator(mode="after")
    def _only_with_a_waist(self) -> Self:
        wrong = self.of_a_waist
        if self.train == "injector" and wrong:
            raise ValueError(
                f"--{wrong[0].replace('_', '-')} ({wrong[0]} in deploy.toml) is about a waist; give it with "
                "--train waist or --train all."
            )
        if self.encoder == "flat" and self.encoder_work is not None:
            raise ValueError(
                "--encoder-work (encoder_work in deploy.toml) is the deep encoder's; leave it out, or give --encoder "
                "deep."
            )
        return self

    @property
    def trained(self) -> Train:
        """What is trained, once that is known.

        Raises:
            TypeError: it is still to be chosen.
        """
        if self.train == "auto":
            raise TypeError("toolkit.protect.fuse.with_train comes first")
        return self.train

    @property
    def passes(self) -> int:
        """The epochs, once they are known.

        Raises:
            TypeError: they are still to be chosen.
        """
        if self.epochs is None:
            raise TypeError("toolkit.protect.fuse.with_train comes first")
        return self.epochs

    @property
    def of_a_waist(self) -> list[str]:
        """Names of the settings that were chosen and that only a waist has."""
        return [name for name, usual in _OF_A_WAIST.items() if getattr(self, name) != usual]
