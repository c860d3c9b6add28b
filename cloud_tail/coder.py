"""The entropy coder: a waist's codes to bytes and back, each channel with a fixed frequency table.

A range variant of asymmetric numeral systems (rANS), one state of 24 bits renormalised by bytes:

    state x, 2^16 <= x < 2^24; f, c: a code's frequency and the sum of those below it; frequencies sum to 2^14
    encode, last code first:  while x >= 1024 f: emit x & 255, x = x >> 8;   x = (x // f) 2^14 + x % f + c
    decode, first code first: m = x & 16383, c <= m < c + f;  x = f (x >> 14) + m - c;  while x < 2^16: x = 256 x + byte

The encoder starts at x = 2^16 and ends with the three bytes of x; the stream is what it emitted, backwards. The
decoder must end at 2^16 with no byte left: codes have exactly one stream, and a damaged one passes once in 65,536.
A message costs about 2.5 bytes more than its codes' information.

Why not a library (constriction, for one): phones write these bytes and servers read them for years, in Python, Kotlin
and Swift, so this project must own the format; a coder with 64-bit state would add 8 bytes to messages of 50 to 500.
tests/contract/coder holds the bytes. Pure Python suffices: about 0.2 microseconds a code, benchmarks/serving/coder.py.

Source: Duda, "Asymmetric numeral systems", arXiv 1311.2540; Giesen, "Interleaved entropy coders", arXiv 1402.3392.
"""

from __future__ import annotations

from itertools import accumulate, repeat
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .coding import PRECISION_BITS, TOTAL
from .errors import ArchiveError, WireError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .coding import Coding

    Codes = NDArray[np.uint8]

_LEAST = 1 << 16
_STEP = (_LEAST >> PRECISION_BITS) << 8
_STATE_BYTES = 3
_PAD_STEPS = 16


class _Channel(NamedTuple):
    """A channel's table: frequency and start of each code, and the code of each of the 2^14 places."""

    frequency: tuple[int, ...]
    start: tuple[int, ...]
    code_at: bytes


class Coder:
    """Encodes and decodes the codes of one photo.

    Args:
        coding: the tables.
        shape: of one photo's codes without the batch, e.g. (C, h, w).
        layout: of the codes with the batch: the channel is the second dimension of NCHW, the last of others.

    Raises:
        ArchiveError: the tables do not fit the shape, or no message fits into `pad_bytes`.
    """

    def __init__(self, coding: Coding, shape: tuple[int, ...], layout: str = "NCHW") -> None:
        self.coding = coding
        self.shape = shape
        self.values = prod(shape)
        self._axis = 0 if layout == "NCHW" else len(shape) - 1
        if shape[self._axis] != len(coding.tables):
            raise ArchiveError(
                f"The coding has {len(coding.tables)} tables, but the codes {list(shape)} have "
                f"{shape[self._axis]} channels; protect and package the bundle again."
            )
        self._places = self.values // shape[self._axis]
        self._channels = tuple(_channel(table) for table in coding.tables)
        likely = (bytes([table.index(max(table))]) * self._places for table in coding.tables)
        self._likely = b"".join(likely)
        if coding.pad_bytes is not None and len(self._stream(self._likely)) > coding.pad_bytes:
            raise ArchiveError(f"No message fits into pad_bytes = {coding.pad_bytes}; package with a greater length.")

    def encode(self, codes: Codes) -> bytes:
        """Turn one photo's codes uint8 [C,h,w] into a message.

        With a padded length, codes that do not fit are replaced from the end by their channel's most likely code.

        Raises:
            WireError: the shape is not this coder's, or a code is not below its channel's levels.
        """
        if codes.shape != self.shape or codes.dtype != np.uint8:
            raise WireError(f"The codes are {codes.dtype} {list(codes.shape)}; expected uint8 {list(self.shape)}.")
        rows = np.moveaxis(codes, self._axis, 0).reshape(len(self._channels), self._places)
        if (rows.max(axis=1) >= np.asarray(self.coding.levels)).any():
            raise WireError("A code is not below the number of its channel's levels.")
        plain = rows.tobytes()
        stream = self._stream(plain)
        length = self.coding.pad_bytes
        if length is None:
            return stream
        for step in range(1, _PAD_STEPS + 1):
            if len(stream) <= length:
                break
            kept = self.values - -(-self.values * step // _PAD_STEPS)
            stream = self._stream(plain[:kept] + self._likely[kept:])
        return stream + bytes(length - len(stream))

    def clip(self, codes: Codes) -> Codes:
        """Limit codes [n,C,h,w] to their channel's levels."""
        along = [1] * codes.ndim
        along[self._axis + 1] = -1
        highest = np.asarray(self.coding.levels) - 1
        return np.minimum(codes, highest.astype(np.uint8).reshape(along))

    def decode(self, message: bytes) -> Codes:
        """Turn a message into one photo's codes uint8 [C,h,w].

        Raises:
            WireError: it is not the message of any codes.
        """
        length = self.coding.pad_bytes
        if length is not None and len(message) != length:
            raise WireError(f"A message of this tail has {length} bytes; this one has {len(message)}.")
        state = int.from_bytes(message[:_STATE_BYTES], "big")
        if len(message) < _STATE_BYTES or state < _LEAST:
            raise WireError("The coded features do not start with a valid state; encode them again.")
        found = bytearray()
        try:
            state, used = self._read(message, state, found)
        except IndexError:
            raise WireError("The coded features are truncated, or were coded with other tables.") from None
        if state != _LEAST or (used != len(message) and (length is None or any(message[used:]))):
            raise WireError("The coded features are damaged or have trailing bytes.")
        rows = np.frombuffer(found, np.uint8)
        if self._axis == 0:
            return rows.reshape(self.shape)
        return np.ascontiguousarray(np.moveaxis(rows.reshape(-1, *self.shape[:-1]), 0, -1))

    def _read(self, message: bytes, state: int, found: bytearray) -> tuple[int, int]:
        """Append all codes to `found`; return the last state and the number of bytes read.

        One tight loop: names are local, and what depends on the channel is looked up once per channel.
        """
        used, mask, bits, least, append = _STATE_BYTES, TOTAL - 1, PRECISION_BITS, _LEAST, found.append
        for frequency, start, code_at in self._channels:
            for _ in repeat(None, self._places):
                place = state & mask
                code = code_at[place]
                append(code)
                state = frequency[code] * (state >> bits) + place - start[code]
                while state < least:
                    state = state << 8 | message[used]
                    used += 1
        return state, used

    def _stream(self, plain: bytes) -> bytes:
        """Encode codes that are in the order of the stream, without padding."""
        state, emitted, bits, step = _LEAST, bytearray(), PRECISION_BITS, _STEP
        end = len(plain)
        for frequency, start, _ in reversed(self._channels):
            for code in reversed(plain[end - self._places : end]):
                often = frequency[code]
                limit = step * often
                while state >= limit:
                    emitted.append(state & 255)
                    state >>= 8
                state = (state // often << bits) + state % often + start[code]
            end -= self._places
        emitted += state.to_bytes(_STATE_BYTES, "little")
        emitted.reverse()
        return bytes(emitted)


def _channel(table: tuple[int, ...]) -> _Channel:
    start = (0, *accumulate(table))[:-1]
    code_at = b"".join(bytes([code]) * often for code, often in enumerate(table))
    return _Channel(table, start, code_at)
