"""What depends on what: features on images, features on classes, a tail's answer on directions of its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._parts import at_once

#: images whose gradients are held at a time, answers that are looked at one by one, and random sums of more than those
_DIRECTIONS_BATCH, _MOST_DIRECTIONS, _SUMS = 32, 64, 8


def _centred_distances(rows: Tensor) -> Tensor:
    """Doubly centred distance matrix [B,B] of rows [B,...]."""
    flat = rows.flatten(1)
    # squared distances from products; the small constant keeps the root's gradient finite on the diagonal
    square = flat.square().sum(1)
    distances = torch.sqrt((square[:, None] + square[None, :] - 2 * flat @ flat.T).clamp(min=0) + 1e-6)
    return distances - distances.mean(0, keepdim=True) - distances.mean(1, keepdim=True) + distances.mean()


def distance_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Distance correlation in [0, 1] of two sets of B vectors, [B,...] each; 0 only where they are independent.

    Source: Szekely et al., Annals of Statistics 35(6), 2007 (the biased sample version).
    """
    a, b = _centred_distances(first), _centred_distances(second)
    covariance = (a * b).mean().clamp(min=0)
    variances = (a.square().mean() * b.square().mean()).clamp(min=1e-12)
    return torch.sqrt(covariance / torch.sqrt(variances) + 1e-9)


def own_centres(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """For each of features [N,D] the mean [N,D] of its class among them; labels [N] are below `classes`."""
    if classes > len(labels):  # most are missing, and a row for each would be the largest tensor of a training
        labels = labels.unique(return_inverse=True)[1]
        classes = int(labels.max()) + 1
    member = torch.nn.functional.one_hot(labels, classes).to(features.dtype)
    return (member.T @ features / member.sum(0)[:, None].clamp(min=1))[labels]


def tolerated_directions(tail: nn.Module, smashed: Tensor) -> Tensor:
    """Orthonormal directions [C,C] (columns) of the channels, from what moves the tail's answer least to most.

    They are the eigenvectors of the mean outer product of the answers' gradients over positions and images; of many
    answers [B,K], the gradients of random sums of them.
    """
    channels = smashed.shape[1]
    product = torch.zeros(channels, channels, device=smashed.device)
    generator = torch.Generator().manual_seed(0)
    for part in smashed.split(_DIRECTIONS_BATCH):
        signs: Tensor | None = None
        for piece in part.split(at_once(tail, part)):
            inputs = piece.clone().requires_grad_(True)
            logits = tail(inputs)
            if signs is None:
                count = logits.shape[1]
                many = count > _MOST_DIRECTIONS
                signs = torch.randn(_SUMS, count, generator=generator) if many else torch.eye(count)
            for row in signs.to(smashed.device):
                (gradient,) = torch.autograd.grad((logits * row).sum(), inputs, retain_graph=True)
                rows = gradient.flatten(2).transpose(1, 2).reshape(-1, channels)
                product += rows.T @ rows
    # eigh leaves the signs open; they carry no meaning
    vectors: Tensor = torch.linalg.eigh(product / product.trace().clamp(min=1e-20)).eigenvectors
    return vectors
