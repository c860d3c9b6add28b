"""Time a few heads and tails of a network, interleaved, each converted for its runtime first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.numpy import save_file

from converters.base import HeadProgram

from .. import plugins
from ..measure.process import HeadProcess
from ..measure.timing import Effort, interleave
from ..records.progress import Progress

if TYPE_CHECKING:
    from torch import nn


WARMUPS = 3


@dataclass(frozen=True)
class Piece:
    """Something to convert and time: a head with what is fused behind it, or a tail taken as a program of its own."""

    name: str
    module: nn.Module
    block: nn.Module | None
    input_shape: tuple[int, ...]
    eps_shape: tuple[int, ...] | None
    target: str
    precision: str


@dataclass(frozen=True)
class Converted:
    """A piece on the disk, ready to be timed."""

    name: str
    target: str
    entry: Path
    inputs: Path


@dataclass(frozen=True)
class PieceTime:
    """p50 in ms of a piece on its runtime, and why the figure should be doubted."""

    p50_ms: float
    flag: str


def convert_piece(piece: Piece, out: Path) -> Converted:
    """Write the piece, converted for its runtime, and its inputs into the new folder `out`."""
    out.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, *piece.input_shape, generator=generator)
    eps = None if piece.eps_shape is None else torch.randn(1, *piece.eps_shape, generator=generator)
    calibration = [torch.randn(1, *piece.input_shape, generator=generator) for _ in range(4)]
    program = HeadProgram(piece.module, piece.block, image, eps, calibration)
    converter = plugins.target(piece.target)()
    conversion = converter.convert(program, out, precision=piece.precision, backend=converter.backends[0])
    inputs = {"image": np.ascontiguousarray(image.numpy())}
    if eps is not None:
        inputs["eps"] = np.ascontiguousarray(eps.numpy())
    path = out / "inputs.safetensors"
    save_file(inputs, path)
    return Converted(piece.name, piece.target, out / conversion.entry, path)


def time_pieces(pieces: Sequence[Converted], threads: int, effort: Effort, progress: Progress) -> list[PieceTime]:
    """Time all pieces against each other, each in a process of its own."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(HeadProcess(piece.name, piece.target, piece.entry, threads)) for piece in pieces
        ]
        for process, piece in zip(processes, pieces, strict=True):
            process.begin(piece.inputs)
        for process in processes:
            process.ready()
        opened = [process.open(WARMUPS) for process in processes]
        timed = interleave(processes, effort, progress, run_ms=[info["run_ms"] for info in opened])
    return [PieceTime(result.summary.p50_ms, result.flag) for result in timed]


def spread(costs: Sequence[float], count: int) -> list[int]:
    """Choose about `count` indices whose costs cover the range, small ones denser, first and last included.

    Points of the same cost (a convolution and the activation folded into it) count once.
    """
    distinct = {round(float(np.log(max(cost, 1e-9))), 3): index for index, cost in reversed(list(enumerate(costs)))}
    order = sorted(distinct.values(), key=lambda index: costs[index])
    if len(order) <= count:
        return sorted(order)
    values = np.sqrt([costs[index] for index in order])
    chosen: set[int] = set()
    for level in np.linspace(values[0], values[-1], count):
        nearest = sorted(range(len(order)), key=lambda position: abs(float(values[position]) - float(level)))
        chosen.add(next(order[position] for position in nearest if order[position] not in chosen))
    return sorted(chosen)
