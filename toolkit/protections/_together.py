"""Statistics over a batch that several processes share: each of them sees all of it, and gradients are those of one.

Every process computes the same value from the whole batch, so that its gradient by the process's own rows, times the
number of processes, is what the mean over processes needs.

Notation: P processes; B rows of a batch, all processes together, of which process r has rows r, r + P, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from ._devices import Devices


def gathered(own: Tensor, count: int, devices: Devices) -> Tensor:
    """All processes' rows [B,...] of which these are this one's, in the batch's order; gradients pass."""
    if devices.processes == 1 or count < devices.processes:  # then every process has them all
        return own
    found: Tensor = _Gathered.apply(own, count, devices)  # type: ignore[no-untyped-call]
    return found


def with_shared_norms(module: nn.Module, devices: Devices) -> None:
    """Let every BatchNorm2d of a module take the statistics of all processes' rows; in place, state dicts fit."""
    if devices.processes == 1:
        return
    for name, part in module.named_children():
        if type(part) is nn.BatchNorm2d:
            setattr(module, name, SharedNorm(part, devices))
        else:
            with_shared_norms(part, devices)


class SharedNorm(nn.BatchNorm2d):
    """A BatchNorm2d over the rows of all processes.

    PyTorch's own SyncBatchNorm runs on GPUs alone.
    """

    def __init__(self, norm: nn.BatchNorm2d, devices: Devices) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.devices = devices
        self.load_state_dict(norm.state_dict())
        self.to(norm.weight.device).train(norm.training)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B/P,C,H,W] to the same shape."""
        if not self.training:
            return super().forward(maps)
        wide = maps.double().transpose(0, 1).flatten(1)
        count = torch.full((1,), wide.shape[1], dtype=wide.dtype, device=wide.device)
        own = torch.cat([wide.sum(1), wide.square().sum(1), count])
        sums: Tensor = _Total.apply(own, self.devices)  # type: ignore[no-untyped-call]
        number = sums[-1]
        mean, square = (sums[:-1] / number).chunk(2)
        variance = square - mean.square()
        self._remember(mean.detach(), (variance * number / (number - 1).clamp(min=1)).detach())
        scale = self.weight / (variance + self.eps).sqrt().to(maps.dtype)
        shift = self.bias - mean.to(maps.dtype) * scale
        return maps * scale[:, None, None] + shift[:, None, None]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        count, kept_mean, kept_variance = self.num_batches_tracked, self.running_mean, self.running_var
        if count is None or kept_mean is None or kept_variance is None:
            return
        count.add_(1)
        share = 1.0 / count.item() if self.momentum is None else self.momentum
        for kept, new in ((kept_mean, mean), (kept_variance, variance)):
            kept.lerp_(new.to(kept.dtype), share)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, count: int, devices: Devices) -> Tensor:  # noqa: ANN401 (autograd's context)
        ctx.devices = devices
        most = -(-count // devices.processes)
        padded = functional.pad(own, (0, 0) * (own.ndim - 1) + (0, most - len(own)))
        each = devices.everyones(padded)
        whole = own.new_empty(count, *own.shape[1:])
        for rank in range(devices.processes):
            part = whole[rank :: devices.processes]
            part.copy_(each[rank * most : rank * most + len(part)])
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return ctx.devices.own(gradient) * ctx.devices.processes, None, None


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, devices: Devices) -> Tensor:  # noqa: ANN401
        ctx.devices = devices
        return devices.total(values.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return ctx.devices.total(gradient.clone()), None
