"""Intermediate results of an .mlpackage head, from the reference evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .eager import pairs_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .eager import EagerLayer, Pair
    from .replay import Array

_OUTPUT = "smashed"


def read(entry: Path, feed: Mapping[str, Array], eager: Mapping[str, EagerLayer], threshold: float) -> list[Pair]:
    """Evaluate once; this file's results beside eager torch's, in the file's order. `threshold`: see pairs_by_name."""
    from converters.coreml_reference import load_program

    found: dict[str, Array] = {}
    for name, value in load_program(entry).trace(dict(feed)).items():
        plain = list(eager)[-1] if name == _OUTPUT else name.removesuffix("_cast_fp16")
        if plain in eager:
            found[plain] = value
    return pairs_by_name(found, eager, threshold)
