"""What a tensor at a head's border is called and holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a converted head.

    Attributes:
        name: the name a phone looks the tensor up by.
        dtype: ``float32``, ``float16``, ``uint8`` or ``int8``.
        shape: batch first; -1 stands for any batch size.
        layout: ``NCHW`` unless the file says otherwise.
        scale: per-channel (or one) step of an affine-quantised tensor, else None.
        zero_point: the code that stands for 0.0, as many as ``scale``, else None.
        levels: how many codes there are, as many as ``scale``; None: all of the dtype's.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str = "NCHW"
    scale: tuple[float, ...] | None = None
    zero_point: tuple[int, ...] | None = None
    levels: tuple[int, ...] | None = None
