"""A converted file's graph as plain data: which operators, on which types and shapes, in which partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Value:
    """A tensor that an operator reads or makes.

    Attributes:
        name: as the file calls it, or its number there.
        dtype: such as "float32".
        shape: -1 for a size that is only known at run time; None where even the rank is unknown.
        constant: whether the file holds its content.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    constant: bool = False


@dataclass(frozen=True)
class Operator:
    """One operator of a file.

    Attributes:
        kind: what the format calls it, such as ``BATCH_MATMUL``.
        name: where in the file, for a person.
        inputs: what it reads.
        outputs: what it makes.
        attributes: its settings.
        partition: which accelerator's part of the file it was put into; None where it stands outside of all.
    """

    kind: str
    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, object] = field(default_factory=dict)
    partition: str | None = None
