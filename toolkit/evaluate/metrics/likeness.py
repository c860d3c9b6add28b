"""How like the photo a reconstruction is. Images are in [0, 1], so the data range is 1 everywhere."""

from __future__ import annotations

import torch
from skimage.metrics import structural_similarity
from torch import Tensor


def ssim(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Structural similarity [N] of two sets [N,channels,H,W] in [0, 1]; 1 = the same.

    Source: Wang et al., IEEE TIP 13(4), 2004, with its 11 x 11 Gaussian window, as scikit-image computes it.
    """
    values = [
        structural_similarity(
            one.numpy(), other.numpy(),
            channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for one, other in zip(rebuilt, photos, strict=True)
    ]  # fmt: skip
    return torch.tensor(values, dtype=torch.float32)


def mse(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Mean squared error [N] of two sets [N,channels,H,W] in [0, 1]."""
    return (rebuilt - photos).square().flatten(1).mean(1)


def psnr(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [N] in dB; infinite for identical images."""
    return -10.0 * mse(rebuilt, photos).log10()
