"""An opponent that rebuilds photos from codes and is trained beside the waist, which is trained against it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...protections._devices import Devices
from ...protections._together import gathered

_RATE = 2e-3


class Opponent:
    """Learns from every batch before it is asked.

    Args:
        network: codes [B,c,h,w] -> photos [B,C,H,W], on the training's device.
        devices: where the arithmetic happens.
    """

    def __init__(self, network: nn.Module, devices: Devices) -> None:
        self.network, self.devices = network, devices
        self.adam = torch.optim.AdamW(network.parameters(), lr=_RATE)

    def error(self, codes: Tensor, images: Tensor, spread: Tensor, count: int) -> Tensor:
        """Its error in photos' variances, at most 1, after it has learned from this batch.

        Args:
            codes: this process's rows of the batch [b,c,h,w].
            images: the same photos [b,C,H,W].
            spread: the photos' variance.
            count: rows of the batch, all processes together.
        """
        self.network.requires_grad_(True)
        own = self._error(codes.detach(), images, spread, count)
        self.adam.zero_grad()
        own.backward()
        self.devices.average_gradients(self.network.parameters())
        self.adam.step()
        self.network.requires_grad_(False)
        return self._error(codes, images, spread, count).clamp(max=1.0)

    def _error(self, codes: Tensor, images: Tensor, spread: Tensor, count: int) -> Tensor:
        each = functional.mse_loss(self.network(codes), images, reduction="none").flatten(1).mean(1)
        return gathered(each, count, self.devices).mean() / spread
