"""Where a training's arithmetic happens: on a CPU or an accelerator, in one process or, under torchrun, in several.

The layer below is Hugging Face's accelerate: it sets up the process group from torchrun's variables, with gloo on
CPUs and nccl on GPUs, and knows each process's device. It stays a library that is called, not a trainer that calls us,
and adds one small package (psutil) to what is installed already; Lightning Fabric would do too, but add nine.

Notation: P processes; B photos of a batch, all processes together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError

_SPEC = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Devices:
    """One process's place among all of a training.

    Attributes:
        device: of this process.
        rank: of this process, 0 to processes - 1; the first one writes files.
        processes: P.
        half: whether the frozen head, and around a waist every network, computes in bfloat16 where autocast thinks it
            safe.
    """

    device: torch.device
    rank: int = 0
    processes: int = 1
    half: bool = False

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def own(self, index: Tensor) -> Tensor:
        """This process's photos of a batch [B]; all of them where there are fewer than processes."""
        return index if len(index) < self.processes else index[self.rank :: self.processes]

    def weight(self, index: Tensor) -> float:
        """What a mean over this process's photos counts, so that the mean over processes is that over the batch."""
        return 1.0 if len(index) < self.processes else len(self.own(index)) * self.processes / len(index)

    def total(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes, the same in each of them."""
        if self.processes == 1:
            return values
        from accelerate.utils import reduce

        summed: Tensor = reduce(values, reduction="sum")
        return summed

    def everyones(self, values: Tensor) -> Tensor:
        """All processes' tensors of one shape [N,...], one after the other: [P*N,...]."""
        if self.processes == 1:
            return values
        from accelerate.utils import gather

        found: Tensor = gather(values.contiguous())
        return found

    @torch.no_grad()
    def align(self, module: nn.Module) -> None:
        """Give a module the first process's weights and buffers."""
        if self.processes == 1:
            return
        from accelerate.utils import broadcast

        for value in module.state_dict().values():
            value.copy_(broadcast(value.clone()))

    def mean(self, value: float) -> float:
        """Mean of a number over all processes."""
        if self.processes == 1:
            return value
        return self.total(torch.tensor(value, dtype=torch.float64, device=self._talks_on)).item() / self.processes

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over all processes, as one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.processes == 1 or not gradients:
            return
        summed = self.total(torch.cat([gradient.flatten() for gradient in gradients])) / self.processes
        for gradient, part in zip(gradients, summed.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Go on when every process is here."""
        if self.processes > 1:
            from accelerate.utils import wait_for_everyone

            wait_for_everyone()

    def told(self, value: str) -> str:
        """What the first process says."""
        if self.processes == 1:
            return value
        from accelerate.utils import broadcast_object_list

        box = [value]
        broadcast_object_list(box)
        return box[0]

    def autocast(self) -> AbstractContextManager[Any]:
        """Bfloat16 for networks, where it was asked for."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.half else nullcontext()

    @property
    def _talks_on(self) -> torch.device:
        # gloo takes CPU tensors, nccl those of its GPU; mps has no float64
        return self.device if self.device.type == "cuda" else torch.device("cpu")


#: this process alone, on the CPU
ALONE = Devices(torch.device("cpu"))


def devices_for(spec: str = "auto", precision: str = "fp32") -> Devices:
    """Find this process's device, and the other processes that torchrun started beside it.

    Args:
        spec: auto (cuda, else mps, else cpu), cpu, mps, cuda, or cuda:N.
        precision: fp32, or bf16 for the frozen head and all networks around a waist.

    Raises:
        InputError: an unknown or absent device, or several processes told to share one.
    """
    if not _SPEC.fullmatch(spec):
        raise InputError(f"There is no device {spec!r}; choose auto, cpu, mps, cuda or cuda:N.")
    if precision not in ("fp32", "bf16"):
        raise InputError(f"There is no precision {precision!r} to train in; choose fp32 or bf16.")
    kind = _kind(spec)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        return Devices(torch.device(spec if ":" in spec else kind), half=precision == "bf16")
    if ":" in spec or kind == "mps":
        raise InputError(f"{processes} processes cannot share the device {spec}; give --device cpu or cuda.")
    from accelerate import PartialState

    os.environ.setdefault("ACCELERATE_USE_CPU", str(kind == "cpu"))
    state = PartialState(cpu=kind == "cpu")
    return Devices(state.device, state.process_index, state.num_processes, half=precision == "bf16")


def _kind(spec: str) -> str:
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if spec == "auto":
        return next(kind for kind, there in has.items() if there)
    kind, _, number = spec.partition(":")
    if not has[kind] or (number and int(number) >= torch.cuda.device_count()):
        found = [name for name, there in has.items() if there]
        raise InputError(f"There is no device {spec} here; choose auto or one of: {', '.join(found)}.")
    return kind
