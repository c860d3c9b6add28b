"""What a user chooses for `pripro package`: [package] of a deploy.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..records.settings import Seed, Settings, Share


class PackageSettings(Settings):
    """The tail's name and precision, and the goldens.

    Attributes:
        name: the tail's name in its URL.
        goldens: how many golden images.
        photos: take the goldens from this folder's photos instead of the data's test images.
        data: where the photos are now that the bundle was protected with; None: where they were.
        seed: of the goldens' eps.
        tail_precision: fp32, or int8 for an int8 tail beside the fp32 one.
        max_tail_drop: accuracy, a share, that the int8 tail may lose against fp32 on the validation images.
    """

    name: str = "tail"
    goldens: Annotated[int, Field(ge=1)] = 16
    photos: Path | None = None
    data: str | None = None
    seed: Seed = 7
    tail_precision: str = "fp32"
    max_tail_drop: Share = 0.005
