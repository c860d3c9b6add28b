"""Where a waist starts: at the best linear one for the tail, measured in seconds, without labels.

Of patches f of the features with covariance S, and G the mean outer product of the answer's gradients by f, the codes
are the directions in which the features vary and the answer changes: V' S^-1/2 (f - mean), V the leading eigenvectors
of S^1/2 G S^1/2; decoded to their conditional mean [ours]. Without any training such a waist keeps 0.94 of a ResNet's
accuracy on CIFAR-10 in 24 codes, where a random one takes epochs to get as far (benchmarks/privacy/photos).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...inference import seeded
from ...tasks.classify import Classify

if TYPE_CHECKING:
    from torch import nn

    from ...tasks.base import Task
    from .geometry import Geometry

#: principal components of the patches, at most: of thousands of values in a patch, few vary independently
_COMPONENTS = 512
#: patches that these are found in, at most
_PATCHES = 8192
#: components that vary by less than this share of the mean are noise
_LEAST = 1e-3
#: added to every direction, so that none counts for nothing
_EVEN = 0.02
#: random mixtures of the answers whose gradients are taken
MIXTURES = 4
_AT_ONCE = 64


@dataclass(frozen=True)
class LinearWaist:
    """Down to codes of deviation 1, and up again.

    Attributes:
        down: [c,P], P = C * stride * stride values of a patch, channels first.
        up: [P,c].
        mean: of the patches [P].
    """

    down: Tensor
    up: Tensor
    mean: Tensor


def patches(features: Tensor, geometry: Geometry) -> Tensor:
    """Cut features [N,C,H,W] into what each position of the waist sees: [N*h*w,P]."""
    rows, columns = geometry.padding
    padded = functional.pad(features, (columns, columns, rows, rows))
    stride = geometry.stride
    return functional.unfold(padded, stride, stride=stride).transpose(1, 2).flatten(0, 1)


def slopes_of(tail: nn.Module, features: Tensor, seed: int, task: Task) -> Tensor:
    """Gradients of random mixtures of the tail's answers by the features [N,...]: [MIXTURES*N,...].

    What all scores of classes have in common says nothing of the class, so it is left out; other answers count whole.
    """
    generator, found = seeded(seed), []
    for piece in features.split(_AT_ONCE):
        at = piece.clone().requires_grad_(True)
        with torch.enable_grad():
            answers = tail(at)
            if isinstance(task, Classify):
                answers = answers - answers.mean(1, keepdim=True)
            for _ in range(MIXTURES):
                mixed = (answers * torch.randn(1, answers.shape[1], generator=generator)).sum()
                found.append(torch.autograd.grad(mixed, at, retain_graph=True)[0])
    return torch.cat(found)


@torch.no_grad()
def linear_waist(features: Tensor, slopes: Tensor, geometry: Geometry, seed: int) -> LinearWaist:
    """Find the best linear waist.

    Args:
        features: at the cut [N,C,H,W].
        slopes: as `slopes_of` gives them.
        geometry: of the waist.
        seed: of the choice of patches.
    """
    rows, gradients = patches(features, geometry), patches(slopes, geometry)
    mean = rows.mean(0)
    if len(rows) > _PATCHES:
        rows = rows[torch.randperm(len(rows), generator=seeded(seed))[:_PATCHES]]
    centred = rows - mean
    count = min(_COMPONENTS, *centred.shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # svd_lowrank draws from the global generator
        _, values, basis = torch.svd_lowrank(centred, q=count, niter=2)
    variance = values.square() / len(centred)
    root = variance.clamp(min=_LEAST * variance.mean().item() + 1e-12).sqrt()
    inside = gradients @ basis
    matters = inside.T @ inside / inside.square().sum().clamp(min=1e-20) + _EVEN / count * torch.eye(count)
    leading = torch.linalg.eigh(root[:, None] * matters * root).eigenvectors.flip(1)[:, : geometry.channels]
    if leading.shape[1] < geometry.channels:  # patches of fewer values than the waist has channels
        leading = functional.pad(leading, (0, geometry.channels - leading.shape[1]))
    return LinearWaist(((basis / root) @ leading).T, (basis * root) @ leading, mean)
