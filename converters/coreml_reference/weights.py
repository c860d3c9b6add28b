"""weight.bin: a 64-byte header, then tensors, each behind 64 bytes of metadata that a program points to.

    header    u32 count, u32 version = 2, 56 bytes reserved
    metadata  u32 0xDEADBEEF, u32 type, u64 bytes, u64 offset of the data, u64 unused bits at its end, 32 reserved
All little-endian; elements under 8 bits are packed from the least significant bit on.

Source: coremltools, mlmodel/src/MILBlob/Blob/StorageFormat.hpp and BlobDataType.hpp.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from ..base import ConverterError

if TYPE_CHECKING:
    from pathlib import Path

    from ..base import Array

    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_HEADER = struct.Struct("<II56x")
_METADATA = struct.Struct("<IIQQQ32x")
_SENTINEL = 0xDEADBEEF
_NAMES = {
    1: "FLOAT16", 2: "FLOAT32", 3: "UINT8", 4: "INT8", 6: "INT16", 7: "UINT16", 8: "INT4", 9: "UINT1",
    10: "UINT2", 11: "UINT4", 12: "UINT3", 13: "UINT6", 14: "INT32", 15: "UINT32",
}  # fmt: skip
#: MIL type -> its little-endian numpy type; those under 8 bits are in _BITS
_DTYPES = {
    "FLOAT16": "<f2", "FLOAT32": "<f4", "UINT8": "u1", "INT8": "i1", "INT16": "<i2", "UINT16": "<u2",
    "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8", "UINT64": "<u8",
}  # fmt: skip
_BITS = {"UINT1": 1, "UINT2": 2, "UINT3": 3, "UINT4": 4, "UINT6": 6, "INT4": 4}


def unpack_bits(packed: Bytes, bits: int, count: int) -> Bytes:
    """Take `count` unsigned integers of `bits` (1, 2, 3, 4, 6 or 8) bits out of bytes [n], lowest bits first.

    Raises:
        ConverterError: the number of bytes does not fit the count.
    """
    if len(packed) != -(-count * bits // 8):
        raise ConverterError(f"{count} values of {bits} bits need {-(-count * bits // 8)} bytes, found {len(packed)}.")
    group = math.lcm(bits, 8) // 8  # the fewest bytes that hold whole values: 1, or 3 for 3 and 6 bits
    words = np.zeros(-(-len(packed) // group), dtype=np.uint32)
    for byte in range(group):
        part = packed[byte::group]
        words[: len(part)] |= part.astype(np.uint32) << np.uint32(8 * byte)
    shifts = np.arange(0, 8 * group, bits, dtype=np.uint32)
    values = (words[:, None] >> shifts) & np.uint32((1 << bits) - 1)
    return values.astype(np.uint8).reshape(-1)[:count]


def decode(raw: bytes, name: str, count: int) -> Array:
    """Turn bytes into `count` values of a MIL type, such as ``FLOAT16`` or ``UINT4``; those under 8 bits become 8.

    Raises:
        ConverterError: a type that is not known here, or a number of bytes that does not fit the count.
    """
    if name in _BITS:
        values = unpack_bits(np.frombuffer(raw, dtype=np.uint8), _BITS[name], count)
        return (
            np.where(values > 7, values.astype(np.int8) - np.int8(16), values.astype(np.int8))
            if name == "INT4"
            else values
        )
    if name not in _DTYPES:
        raise ConverterError(f"Tensors of type {name} are not known here, only {', '.join([*_DTYPES, *_BITS])}.")
    dtype = np.dtype(_DTYPES[name])
    if len(raw) != count * dtype.itemsize:
        raise ConverterError(f"{count} values of type {name} need {count * dtype.itemsize} bytes, found {len(raw)}.")
    return np.frombuffer(raw, dtype=dtype)


class WeightFile:
    """One weight.bin, read piece by piece: a head needs each tensor once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        _, version = _HEADER.unpack(self._read(0, _HEADER.size, "header"))
        if version != 2:
            raise ConverterError(f"{path} is a weight file of version {version}, expected 2; convert the model again.")

    def tensor(self, offset: int, name: str, count: int) -> Array:
        """Read the tensor [count] whose metadata lies at `offset`, of the MIL type that the program expects.

        Raises:
            ConverterError: the metadata or the data lie outside of the file, or are not of that type and size.
        """
        head = self._read(offset, _METADATA.size, "metadata")
        sentinel, code, length, start, _ = _METADATA.unpack(head)
        if sentinel != _SENTINEL:
            raise ConverterError(f"{self.path} holds no tensor at offset {offset}; the file is damaged, convert again.")
        if _NAMES.get(code) != name:
            held = _NAMES.get(code, f"type {code}")
            raise ConverterError(f"{self.path} holds {held} at offset {offset} where the program expects {name}.")
        return decode(self._read(start, length, "data"), name, count)

    def _read(self, start: int, length: int, what: str) -> bytes:
        if start + length > self.size:
            raise ConverterError(
                f"{self.path} ends at byte {self.size}, its {what} would lie at {start} to {start + length}; "
                "the file is cut short or damaged, copy or convert it again."
            )
        with self.path.open("rb") as stream:
            stream.seek(start)
            return stream.read(length)
