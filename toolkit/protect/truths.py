"""What is right about a data set's photos, for a split network and its task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..partition.split import Split
from ..protections._devices import ALONE, Devices
from ..tasks._truth import Truth, truth_for

if TYPE_CHECKING:
    from ..datasets._data import Part
    from ..datasets._lazy import LazyImages


def truth_of(halves: Split, images: Tensor | LazyImages, labels: Tensor, devices: Devices = ALONE) -> Truth:
    """What is right about images [N,C,H,W] with class labels [N], -1 where unknown."""
    network = nn.Sequential(halves.head, halves.tail).to(devices.device)
    found = truth_for(halves.task, network, images, labels)
    network.cpu()
    return found


def training_labels(
    halves: Split, part: Part, relabel: Callable[[Tensor], Tensor], devices: Devices = ALONE
) -> tuple[Tensor, bool]:
    """Class labels [N] and whether they say what is right; without such labels, the groups of the network's answers."""
    known = bool((part.labels >= 0).all())
    if known and halves.task.uses_labels:
        # labels of an embedding only group the photos: no label says what its answers should be
        return relabel(part.labels), halves.task.has_classes
    unlabelled = torch.full_like(part.labels, -1)
    return halves.task.groups(truth_of(halves, part.photos, unlabelled, devices).wanted)[0], False
