"""The encodings that a bundle's manifest lists, as the cloud's side knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cloud_tail.signature import TensorSpec

from ..errors import UnknownNameError

if TYPE_CHECKING:
    from . import bundle as records

#: how a head hands its features out: as float32, or as the uint8 codes that cross the wire
HeadWire = Literal["float32", "uint8"]
WIRES: tuple[HeadWire, ...] = ("float32", "uint8")


def known_wire(name: str) -> HeadWire:
    """Return `name`.

    Raises:
        UnknownNameError: no head hands its features out in that form.
    """
    for wire in WIRES:
        if wire == name:
            return wire
    raise UnknownNameError("wire", name, WIRES)


def wire_spec(spec: records.TensorSpec) -> TensorSpec:
    """Convert it to cloud_tail's own type, which its codec takes."""
    return TensorSpec(
        name=spec.name,
        dtype=spec.dtype,
        shape=tuple(spec.shape),
        layout=spec.layout,
        scale=None if spec.scale is None else tuple(spec.scale),
        zero_point=None if spec.zero_point is None else tuple(spec.zero_point),
    )


def emits_codes(head: records.Head) -> bool:
    """Whether a head's output is codes; Core ML and ExecuTorch give them as whole numbers in float32."""
    return head.outputs[0].scale is not None
