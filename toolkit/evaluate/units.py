"""Between the head's input and pictures in [0, 1], red first."""

from __future__ import annotations

import torch
from torch import Tensor

from ..records.bundle import Preprocess


def to_unit(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Undo the normalisation: preprocessed images [N,C,H,W] -> [0, 1], red first."""
    mean, std = _shaped(preprocess)
    photos = ((images * std + mean) / preprocess.value_range).clamp(0.0, 1.0)
    return photos.flip(1) if preprocess.order == "BGR" else photos


def from_unit(photos: Tensor, preprocess: Preprocess) -> Tensor:
    """Normalise photos [N,C,H,W] in [0, 1], red first."""
    mean, std = _shaped(preprocess)
    return ((photos.flip(1) if preprocess.order == "BGR" else photos) * preprocess.value_range - mean) / std


def _shaped(preprocess: Preprocess) -> tuple[Tensor, Tensor]:
    return torch.tensor(preprocess.mean).view(1, -1, 1, 1), torch.tensor(preprocess.std).view(1, -1, 1, 1)
