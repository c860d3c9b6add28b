"""What a user chooses for `pripro partition`: [network] of a deploy.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..records.settings import Settings


class PartitionSettings(Settings):
    """The trained network and where it is cut.

    Attributes:
        source: a torchvision classifier's name, a family, package.module:factory, or a .pt2 file.
        input: the image's shape as CxHxW.
        cut: cut point, as `pripro cuts` names it.
        weights: file of the trained weights.
        classes: how many classes a named network is built with; None: as many as there are labels.
        labels: text file, one class name a line, in the order of the network's outputs.
        mean: per channel, in units of the scaled pixel; None: ImageNet's, or 0.5 for grey.
        std: per channel; None: ImageNet's, or 0.5 for grey.
        resize: stretch, center-crop, shorter-side or pad.
        shorter_side: pixels, with resize shorter-side.
        interpolation: bilinear, bicubic or nearest.
        antialias: whether a photo that is made smaller is averaged over (as Pillow, torchvision and timm do).
        order: of the channels, RGB or BGR.
        value_range: 1 (pixels from 0 to 1) or 255, before the mean is subtracted.
        preprocess: torchvision:NAME or timm:NAME, instead of all of these.
        data: labelled photos to measure the network on before it is cut, such as folder:DIR.
        anyway: go on where it is right about them no more often than by chance.
        task: a file in toolkit/tasks/, or auto: guessed from what the network answers.
        crossing: how many tensors may cross at the cut, 1 to 4.
    """

    source: str
    input: str = "3x224x224"
    cut: str
    weights: Path | None = None
    classes: Annotated[int, Field(ge=1)] | None = None
    labels: Path | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    resize: str = "stretch"
    shorter_side: int | None = None
    interpolation: str = "bilinear"
    antialias: bool = True
    order: str = "RGB"
    value_range: int = 1
    preprocess: str | None = None
    data: str | None = None
    anyway: bool = False
    task: str = "auto"
    crossing: int = 1
