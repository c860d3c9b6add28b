"""How like the photo a reconstruction is. Images are in [0, 1], so the data range is 1 everywhere."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def ssim(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Structural similarity [N] of two sets [N,channels,H,W] in [0, 1]; 1 = the same (torchmetrics, Gaussian window)."""
    value = structural_similarity_index_measure(rebuilt, photos, data_range=1.0, reduction="none")
    if not isinstance(value, Tensor):
        raise TypeError("torchmetrics returned maps although none were asked for")
    return value.reshape(-1)


def mse(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Mean squared error [N] of two sets [N,channels,H,W] in [0, 1]."""
    return (rebuilt - photos).square().flatten(1).mean(1)


def psnr(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [N] in dB; infinite for identical images."""
    return -10.0 * mse(rebuilt, photos).log10()
