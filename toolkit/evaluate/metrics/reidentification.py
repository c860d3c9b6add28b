"""Re-identification: is the right photo the nearest of N to its reconstruction?

It asks for no class and no pretty picture, only whether somebody could be picked out of a crowd.
"""

from __future__ import annotations

import torch
from torch import Tensor


def closer_than_the_true_one(rebuilt: Tensor, photos: Tensor) -> Tensor:
    """Count, for each reconstruction, the other photos that are at least as near to it as its own.

    Args:
        rebuilt: features [N,F] of the reconstructions.
        photos: [M,F] of the photos, the first N of which were rebuilt; M >= N.

    Returns:
        [N], by cosine distance of features centred on the photos' mean.
    """
    centre = photos.mean(0, keepdim=True)
    mine = torch.nn.functional.normalize(rebuilt - centre, dim=1)
    theirs = torch.nn.functional.normalize(photos - centre, dim=1)
    likeness = mine @ theirs.T
    index = torch.arange(len(rebuilt))
    own = likeness[index, index][:, None]
    nearer = likeness >= own
    nearer[index, index] = False
    return nearer.sum(1)


def top1_among(closer: Tensor, photos: int, among: int) -> Tensor:
    """Chance [N] that the right photo is the nearest of `among`, the others drawn at random from `photos` - 1.

    Exact, not sampled: that none of `among` - 1 photos drawn is one of the `closer` ones.

    Raises:
        ValueError: more are asked for than there are.
    """
    if among > photos:
        raise ValueError(f"cannot draw {among} of {photos} photos")
    others = photos - 1
    drawn = torch.arange(among - 1, dtype=torch.float64)
    free = (others - closer).double()[:, None] - drawn
    return (free.clamp(min=0) / (others - drawn)).prod(1).float()
