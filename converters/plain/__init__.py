"""A head's graph, written with operators that every converter gets right: same values, simpler operators.

One function per operator to replace, in the file that its kind belongs to; `_table.rewrites` registers it. What no
rewrite fixes is in refused.py and ends the conversion with the operator's name and the line of the network.

Order: in-place writes become functions of tensors, weights come into the usual order of memory, then operators are
replaced, then whatever depends on weights alone is computed once and stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import arithmetic, attention, lowered, norm, order, pool, product, resize, sampling, scatter
from ._broadcast import unexpanded
from ._fold import fold
from ._memory import in_order
from ._replace import functional, replace
from ._table import TABLE
from .refused import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from torch.export import ExportedProgram

__all__ = ["plain"]

_FILES = (arithmetic, attention, lowered, norm, order, pool, product, resize, sampling, scatter)


def plain(module: nn.Module, example: tuple[Tensor, ...] | Mapping[str, Tensor], target: str) -> ExportedProgram:
    """Export a module in eval mode with everything replaced that this target gets wrong or lacks.

    Args:
        module: what to export.
        example: its inputs, batch 1; by name where the target takes them so.
        target: a converter's name.

    Raises:
        ConverterError: it has an operator that this target cannot express.
    """
    import torch

    arguments, options = (example, {}) if isinstance(example, tuple) else ((), dict(example))
    with torch.no_grad():
        program = functional(torch.export.export(module, arguments, options))
        graph = program.module(check_guards=False)
        changed = in_order(graph)
        changed |= replace(graph, TABLE, target)
        changed |= unexpanded(graph)
        changed |= fold(graph)
        if changed:
            program = torch.export.export(graph, arguments, options)
    refuse(program, target)
    return program
