"""How many bits a message may reveal about its photo beyond the user's answer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: variance of rounding to whole numbers, as noise
_ROUNDING = 1.0 / 12


def inside_bits(mean: Tensor, noise: Tensor, answers: Tensor, classes: int) -> Tensor:
    """Sum over symbols of 0.5 log2(1 + variance inside an answer / (noise + rounding)), in bits a message.

    It is the most that Gaussian symbols of these variances would reveal.

    Source: the conditional-entropy bound of CEM, arXiv 2503.00383. [ours] the unprotected network's answer in place of
    the label, and rounding counted as uniform noise.

    Args:
        mean: what is sent without eps [B,c,h,w], in units of one code.
        noise: the variance that eps adds [B,c,h,w].
        answers: [B].
        classes: how many answers there are.
    """
    flat, spread = mean.flatten(1), noise.flatten(1).mean(0) + _ROUNDING
    member = functional.one_hot(answers, classes).to(flat.dtype)
    count = member.sum(0)[:, None].clamp(min=1)
    centres = member.T @ flat / count
    # an answer's own mean takes one degree of freedom
    free = len(flat) / (len(flat) - (member.sum(0) > 0).sum()).clamp(min=1)
    inside = (flat - centres[answers]).square().mean(0) * free
    return 0.5 * torch.log2(1 + inside / spread).sum()
