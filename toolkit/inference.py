"""Apply networks to many images without gradients: in batches, with seeded noise, and count what is right.

Notation: N images, C x h x w smashed features, K classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .datasets._lazy import LazyImages

#: inputs of a batch: at most, at least, and their bytes between the two
_MOST_ROWS, _LEAST_ROWS, _BATCH_BYTES = 128, 8, 16 << 20
#: photos whose noise torch draws without regard to what follows
_DRAWN = 16


class Rows(Protocol):
    """Photos or features [N,...]: a tensor, or what decodes or reads them as they are asked for."""

    @property
    def shape(self) -> torch.Size:
        """[N,...]."""

    def __len__(self) -> int:
        """N."""

    def split(self, size: int, /) -> Iterable[Tensor]:
        """Go over all of them, `size` at a time."""


class Noising(Protocol):
    """What `smash` needs of a protection."""

    def draw_eps(self, batch: int, generator: torch.Generator) -> Tensor | None:
        """Draw noise for a batch, or None where the method takes none."""

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 (as torch's modules are typed)
        """Protect features."""


def seeded(seed: int) -> torch.Generator:
    """Return a generator of its own, so that results do not depend on what drew numbers before."""
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def in_batches(
    module: nn.Module | Callable[[Tensor], Tensor], inputs: Tensor | LazyImages, batch_size: int | None = None
) -> Tensor:
    """Apply a module to many inputs [N,...] and return its outputs [N,...]; lazy ones are decoded as needed.

    `batch_size` is what `rows_at_once` says.
    """
    device = device_of(module)
    rows = batch_size or rows_at_once(inputs)
    return gathered((module(part.to(device)).cpu() for part in inputs.split(rows)), len(inputs))


def rows_at_once(inputs: Rows, most: int = _MOST_ROWS, *, draws: bool = False) -> int:
    """How many inputs [N,...] go through a network together: fewer where activations of many would take gigabytes.

    Args:
        inputs: photos or features; only their shape is looked at.
        most: and as many of small ones.
        draws: noise is drawn for each batch. Whole multiples of 16 photos then get the very numbers that one draw for
            all of them would give, as torch fills a tensor on the CPU by sixteen values at a time.
    """
    rows = max(min(most, _BATCH_BYTES // max(4 * inputs.shape[1:].numel(), 1)), min(_LEAST_ROWS, most))
    return max(rows // _DRAWN * _DRAWN, min(_DRAWN, most)) if draws else rows


def gathered(parts: Iterable[Tensor], count: int) -> Tensor:
    """Join parts [b,...] to [count,...] as they come: joining a list of them afterwards takes twice the memory."""
    joined: Tensor | None = None
    done = 0
    for part in parts:
        joined = part.new_empty((count, *part.shape[1:])) if joined is None else joined
        joined[done : done + len(part)] = part
        done += len(part)
    if joined is None or done != count:
        raise ValueError(f"{done} rows came where {count} were expected")
    return joined


def device_of(module: nn.Module | Callable[[Tensor], Tensor]) -> torch.device:
    """Where a module's weights are; a function, or a module without any, computes on the CPU."""
    if not isinstance(module, nn.Module):
        return torch.device("cpu")
    held = next(itertools.chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if held is None else held.device


@torch.no_grad()
def fastest_layout(network: nn.Module | Callable[[Tensor], Tensor], image: Tensor) -> torch.memory_format:
    """Channels last, in which convolutions take 0.6 to 0.7 of the time on a CPU, where the network allows it.

    An exported graph may look at its features through a view that only the plain layout has. The figures are in
    benchmarks/results/cpu_head.json.

    Args:
        network: what the photos go through.
        image: one photo [1,channels,H,W], on the network's device.
    """
    if image.shape[1] == 1:
        return torch.contiguous_format
    try:
        network(image.contiguous(memory_format=torch.channels_last))
    except RuntimeError:
        return torch.contiguous_format
    return torch.channels_last


def smash(protection: Noising, smashed: Tensor, generator: torch.Generator) -> Tensor:
    """Protect features [N,C,h,w] with eps drawn from `generator`, if the method takes any."""
    eps = protection.draw_eps(len(smashed), generator)
    protected: Tensor = protection(smashed) if eps is None else protection(smashed, eps.to(smashed.device))
    return protected


def smashing(protection: Noising, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Return the protection as a function of the features alone, with fresh eps at each call."""
    return lambda smashed: smash(protection, smashed, generator)


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Say for each of N answers [N,K] whether its top class is the label [N]: [N], float32, 0 or 1."""
    return (logits.argmax(1) == labels).float()


def accuracy(module: nn.Module | Callable[[Tensor], Tensor], inputs: Tensor | LazyImages, labels: Tensor) -> float:
    """Share of inputs [N,...] about which a classifier is right."""
    return right(in_batches(module, inputs), labels).mean().item()
