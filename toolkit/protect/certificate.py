"""What no attacker can exceed, whatever it knows and computes: bounds from the message alone.

Notation: X photo, M message, A an attribute of K values, I mutual information in bits, d values of a photo.

1. I(X; M) <= H(M) <= mean of -log2 q(M) <= 8 bytes: q is the distribution that the frequency tables state, and its
   cross entropy is no less than the entropy. Whatever is computed from M knows no more (data processing).
2. I(X; M) <= mean over photos of D(P(M | X) || q), for any q: the golden formula (Csiszar and Koerner). It is tighter
   by H(M | X), the entropy of the noise. P(M | X) is exact where the noise is independent Gaussian given the photo.
3. Fano: h(e) + e log2(K - 1) >= H(A) - I(A; M), and I(A; M) <= I(X; M): the least error e at guessing A.
4. Reconstruction: the mean squared error is at least the distortion-rate function at I bits of the stated prior,
   Gaussian photos with the spectrum of the user's own (reverse water-filling; Cover and Thomas, 10.3.3). For white
   spectra it is the entropy-power bound exp(2 H / d) / (2 pi e) that CEM (arXiv 2503.00383) uses. [ours] the spectrum
   is that of the DCT of whole photos with decorrelated colours. Real photos are not Gaussian: the bound holds for the
   prior, and stands beside the best attack measured. Where a message has more bits than the prior has, it is near 0.

Everything is per message. Memoised noise gives the same photo the same message always, so looks add nothing; n
near-duplicates give at most n times the bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..records import bundle as records
from .waist.geometry import LEVEL
from .waist.tables import codes_of, ideal_bits, message_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ..partition.split import Split
    from ..protections.base import Protection

#: of the prior's variance: a bound below it says nothing
_VACUOUS = 0.1
_PRECISION = 1 << 14


def certify(
    narrow: Split, protection: Protection, coding: records.Coding, images: Tensor, photos: Tensor, seed: int
) -> records.Certificate:
    """State the bounds, measured on photos that nothing was trained or tuned on.

    Args:
        narrow: the network with its waist.
        protection: at its final strength.
        coding: of the messages.
        images: [N,C,H,W], preprocessed.
        photos: the same ones in [0, 1].
        seed: of the noise.
    """
    codes = codes_of(narrow.head, protection, images, seed)
    lengths = 8.0 * message_lengths(coding, codes)
    capacity = channel_bits(narrow, protection, coding, images)
    spectrum = photo_spectrum(photos)
    bits = min(float(ideal_bits(coding.tables, codes).mean()), capacity if capacity is not None else math.inf)
    bound = least_mse(spectrum, bits)
    prior = float(spectrum.mean())
    return records.Certificate(
        message_bits_mean=float(lengths.mean()),
        message_bits_p99=float(np.quantile(lengths, 0.99)),
        message_bits_max=float(lengths.max()),
        capacity_bits=capacity,
        prior_mse=prior,
        mse_bound=bound,
        note=_note(bits, bound, prior, protection),
    )


def _note(bits: float, bound: float, prior: float, protection: Protection) -> str:
    parts = [f"prior: Gaussian photos with the DCT spectrum of the user's; at most {bits:.0f} bits a message"]
    if protection.eps_shape() is not None and protection.channel(torch.zeros(1, *protection.features)) is None:
        parts.append("no channel bound is known for this method's noise, so message bits stand alone")
    if bound < _VACUOUS * prior:
        parts.append("the MSE bound is vacuous: a message could tell nearly all of a Gaussian photo")
    names = [f"{count}" for count in (2, 10, 100) if most_often_right(bits, count) >= 1.0]
    if names:
        parts.append(f"Fano's bound is vacuous for attributes of {', '.join(names)} values")
    return "; ".join(parts)


@torch.no_grad()
def channel_bits(narrow: Split, protection: Protection, coding: records.Coding, images: Tensor) -> float | None:
    """Mean over photos of D(P(message | photo) || tables) in bits, or None where the noise's law is not known."""
    if protection.eps_shape() is None:
        return None
    total = 0.0
    log_q = torch.log2(torch.tensor(coding.tables, dtype=torch.float64) / _PRECISION)[:, :, None, None]  # [c,K,1,1]
    edges = torch.arange(-LEVEL, LEVEL, dtype=torch.float64) + 0.5
    for part in images.split(64):
        law = protection.channel(narrow.head(part))
        if law is None:
            return None
        mean, variance = (value.double() for value in law)
        deviation = variance.sqrt().clamp(min=1e-12)
        below = torch.special.ndtr((edges[None, None, :, None, None] - mean[:, :, None]) / deviation[:, :, None])
        zero, one = torch.zeros_like(below[:, :, :1]), torch.ones_like(below[:, :, :1])
        share = torch.diff(torch.cat([zero, below, one], 2), dim=2).clamp(min=0)  # [B,c,K,h,w]
        total += (torch.xlogy(share, share) / math.log(2.0) - share * log_q).sum().item()
    return total / len(images)


def photo_spectrum(photos: Tensor) -> NDArray[np.float64]:
    """Variance [d] of photos [N,C,H,W] in [0, 1], along the DCT of whole photos with decorrelated colours."""
    values = photos.double()
    values = values - values.mean(0, keepdim=True)
    height, width = values.shape[2:]
    colours = torch.einsum("nchw,ndhw->cd", values, values)
    turned = torch.einsum("nchw,ce->nehw", values, torch.linalg.eigh(colours).eigenvectors)
    waves = torch.einsum("yh,nchw,xw->ncyx", _dct(height), turned, _dct(width))
    spectrum: NDArray[np.float64] = waves.square().mean(0).flatten().numpy()
    return spectrum


def least_mse(spectrum: NDArray[np.float64], bits: float) -> float:
    """Least mean squared error per value of any reconstruction from `bits` bits, were photos Gaussian.

    Reverse water-filling: every component keeps an error of min(level, variance), and the level is where the rates
    0.5 log2(variance / level) of those above it add up to `bits`.
    """
    low, high = 0.0, float(spectrum.max())
    for _ in range(200):
        level = (low + high) / 2
        rate = 0.5 * np.log2(np.maximum(spectrum / max(level, 1e-300), 1.0)).sum()
        low, high = (level, high) if rate > bits else (low, level)
    return float(np.minimum(spectrum, high).mean())


def most_often_right(bits: float, count: int) -> float:
    """How often any attacker can be right about an attribute of `count` equally likely values, given `bits` bits: Fano.

    1.0 where the bound says nothing.
    """
    if bits >= math.log2(count):
        return 1.0
    low, high = 0.0, 1.0 - 1.0 / count  # error
    for _ in range(200):
        error = (low + high) / 2
        doubt = _binary_entropy(error) + error * math.log2(max(count - 1, 1))
        low, high = (error, high) if doubt < math.log2(count) - bits else (low, error)
    return 1.0 - low


def _binary_entropy(share: float) -> float:
    return 0.0 if share in (0.0, 1.0) else -share * math.log2(share) - (1 - share) * math.log2(1 - share)


def _dct(size: int) -> Tensor:
    """Orthonormal DCT-II matrix [size,size]."""
    waves, places = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64) + 0.5
    matrix = torch.cos(math.pi / size * waves * places) * math.sqrt(2.0 / size)
    matrix[0] *= math.sqrt(0.5)
    return matrix
