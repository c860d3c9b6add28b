"""MIL types and constants as torch tensors.

Floats of both widths are held as float32: an operator computes in float32, then `rounded` takes its result to
the type that the program declares. Shapes: None stands for a size that is only known at run time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..base import ConverterError
from . import weights

if TYPE_CHECKING:
    from ..base import Array

#: a message of coremltools' compiled protobuf, which carries no types
Proto = Any
#: a tensor, a string, or several of them where an operator takes a list
Value = Tensor | str | list["Value"]
#: file name, offset, MIL type, count -> values [count]
ReadWeights = Callable[[str, int, str, int], "Array"]

MAX_ELEMENTS = 1 << 28  # 1 GiB of float32: more than any tensor of a phone's head, little enough for a host
_HELD_AS = {
    "FLOAT16": torch.float32, "FLOAT32": torch.float32, "BOOL": torch.bool, "INT8": torch.int8,
    "INT16": torch.int16, "INT32": torch.int32, "INT64": torch.int64, "INT4": torch.int8, "UINT8": torch.uint8,
    "UINT1": torch.uint8, "UINT2": torch.uint8, "UINT3": torch.uint8, "UINT4": torch.uint8, "UINT6": torch.uint8,
    "UINT16": torch.int32, "UINT32": torch.int64, "UINT64": torch.int64,
}  # fmt: skip


@dataclass(frozen=True)
class TensorType:
    """A declared type: MIL's name of the element type, and the shape."""

    name: str
    shape: tuple[int | None, ...]

    @property
    def held_as(self) -> torch.dtype:
        """The torch type in which values of this type are kept."""
        return _HELD_AS[self.name]

    def fits(self, shape: Sequence[int]) -> bool:
        """Compare a tensor's shape with the declared one."""
        return len(shape) == len(self.shape) and all(
            want in (None, have) for want, have in zip(self.shape, shape, strict=True)
        )


def room_for(shape: Sequence[int | None], what: str) -> None:
    """Refuse tensors that would exhaust the memory.

    Raises:
        ConverterError: a negative size, or more than MAX_ELEMENTS.
    """
    known = [size for size in shape if size is not None]
    if min(known, default=0) < 0 or math.prod(known) > MAX_ELEMENTS:
        raise ConverterError(f"{what} would have the shape {list(shape)}; at most {MAX_ELEMENTS} elements are allowed.")


def read_type(proto: Proto, what: str) -> TensorType | None:
    """Read a ValueType; None for a string.

    Raises:
        ConverterError: a type that is not a tensor of a known element type.
    """
    if proto.WhichOneof("type") != "tensorType":
        raise ConverterError(f"{what} is a {proto.WhichOneof('type')}, only tensors are known here.")
    tensor = proto.tensorType
    kind = tensor.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number.get(tensor.dataType)
    name = "unknown" if kind is None else kind.name
    if name == "STRING":
        return None
    if name not in _HELD_AS:
        raise ConverterError(f"{what} has elements of type {name}, known are {', '.join(_HELD_AS)}.")
    shape = tuple(d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in tensor.dimensions)
    room_for(shape, what)
    return TensorType(name, shape)


def read_value(proto: Proto, what: str, read_weights: ReadWeights) -> Value:
    """Read a constant, from the program itself or from weight.bin.

    Raises:
        ConverterError: its content does not fit its declared type.
    """
    declared = read_type(proto.type, what)
    stored = proto.immediateValue.tensor
    if declared is None:
        texts = list(stored.strings.values)
        return texts[0] if not proto.type.tensorType.dimensions and len(texts) == 1 else list(texts)
    if None in declared.shape:
        raise ConverterError(f"{what} is a constant of unknown size; convert the model again.")
    shape = [size for size in declared.shape if size is not None]
    count = math.prod(shape)
    if proto.WhichOneof("value") == "blobFileValue":
        values = read_weights(proto.blobFileValue.fileName, proto.blobFileValue.offset, declared.name, count)
    elif stored.WhichOneof("value") == "bytes":
        values = weights.decode(stored.bytes.values, declared.name, count)
    else:
        field = stored.WhichOneof("value")
        values = np.asarray([] if field is None else getattr(stored, field).values)
        if values.size != count:
            raise ConverterError(f"{what} has {values.size} values, its shape {shape} needs {count}.")
    return torch.from_numpy(_native(values)).to(declared.held_as).reshape(shape)


def _native(values: Array) -> Array:
    """Copy into types that torch shares with numpy; frombuffer's arrays are read-only."""
    if values.dtype == np.float16:
        return values.astype(np.float32)
    if values.dtype in (np.uint16, np.uint32, np.uint64):
        return values.astype(np.int64)
    return values.copy()


def rounded(result: Tensor, declared: TensorType) -> Tensor:
    """Take an operator's result to the declared type: float16 values stay in a float32 tensor."""
    if declared.name == "FLOAT16":
        return result.to(torch.float16).to(torch.float32)
    return result.to(declared.held_as)


def to_numpy(tensor: Tensor, declared: TensorType) -> Array:
    """Hand a tensor out in its declared width."""
    return tensor.numpy().astype(np.float16) if declared.name == "FLOAT16" else tensor.numpy()
