"""Memoised noise: the same photo on the same device always draws the same eps, so a second look teaches nothing.

    key    = HMAC-SHA-256(secret, "pripro-eps-1" | bundle_id | SHA-256(the photo as the head's input))
    words  = the ChaCha20 key stream of that key (RFC 8439), as 64-bit integers
    eps    = standard normal numbers made of them by the ziggurat method

Permanent noise per value is memoisation as in RAPPOR (Erlingsson et al., CCS 2014). Another photo, another device or
another bundle draws independent noise. [ours]: the HMAC covers a hash of the photo rather than the photo, so that a
phone's key store, where the secret lives, sees 76 bytes; and it covers the bundle, because two heads with the same
eps would let the server cancel the noise by comparing their messages.

Python, Kotlin and Swift must agree to the bit (tests/contract/noise), so nothing here uses a library's logarithm or
exponential, whose last bits differ between platforms: +, -, *, / and square root of IEEE doubles are all it takes.

Source: Marsaglia and Tsang, "The Ziggurat Method for Generating Random Variables", 2000; separate bits for layer, sign
and position: Doornik, "An Improved Ziggurat Method", 2005.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SECRET_BYTES = 32
_LABEL = b"pripro-eps-1"

_LAYERS = 256
_TWO_53 = float(1 << 53)
#: where the tail begins, the area of each layer, and the density exp(-x^2 / 2) at the tail's beginning
_R, _V, _DENSITY_R = 3.654152885361009, 0.004928673233974656, 0.0012602859304985975
_LN2 = 0.6931471805599453


def new_secret() -> bytes:
    """Draw a device secret from the operating system's secure generator."""
    return secrets.token_bytes(SECRET_BYTES)


def photo_key(secret: bytes, bundle_id: str, image: NDArray[np.float32]) -> bytes:
    """Derive the key of one photo's noise.

    Args:
        secret: the device's, 32 bytes.
        bundle_id: of the bundle that the head belongs to, 64 hex digits.
        image: the head's input, float32 [C,H,W].

    Raises:
        InputError: the secret has another length.
    """
    if len(secret) != SECRET_BYTES:
        raise InputError(f"A device secret has {SECRET_BYTES} bytes, not {len(secret)}; make one with new_secret().")
    photo = hashlib.sha256(np.ascontiguousarray(image, "<f4").tobytes()).digest()
    return hmac.digest(secret, _LABEL + bytes.fromhex(bundle_id) + photo, "sha256")


def memoised_eps(
    secret: bytes, bundle_id: str, images: NDArray[np.float32], shapes: Sequence[tuple[int, ...]]
) -> list[NDArray[np.float32]]:
    """Draw the noise of a batch of photos.

    Args:
        secret: the device's, 32 bytes.
        bundle_id: of the bundle that the head belongs to.
        images: the head's input, float32 [B,C,H,W].
        shapes: of the head's eps inputs without the batch, in their order.

    Returns:
        One array [B, *shape] for each shape.
    """
    keys = [photo_key(secret, bundle_id, image) for image in images]
    return [
        standard_normal(keys, math.prod(shape), tensor=index).reshape(len(keys), *shape)
        for index, shape in enumerate(shapes)
    ]


def standard_normal(keys: Sequence[bytes], count: int, *, tensor: int = 0) -> NDArray[np.float32]:
    """Turn keys into standard normal numbers.

    Args:
        keys: 32 bytes each.
        count: how many numbers each key gives.
        tensor: which of a head's eps inputs they are for; each has a key stream of its own.

    Returns:
        float32 [len(keys), count].
    """
    found = np.empty((len(keys), count), np.float32)
    blocks = (count + count // 32 + 23) // 8  # 1.2 % of the words take another; a few more are taken where needed
    rows = 1 + (1 << 16) // blocks  # photos at a time: 16 words of 4 bytes for each block
    for start in range(0, len(keys), rows):
        some = keys[start : start + rows]
        for row, words in enumerate(key_stream(some, tensor, 0, blocks)):
            _fill(found[start + row], _Words(some[row], tensor, words))
    return found


def key_stream(keys: Sequence[bytes], tensor: int, first: int, blocks: int) -> NDArray[np.uint64]:
    """Return blocks of ChaCha20's key stream as 64-bit little-endian words.

    Args:
        keys: 32 bytes each.
        tensor: the nonce: these 4 bytes, little-endian, then 8 zero bytes.
        first: the first block's counter.
        blocks: how many blocks of 8 words.

    Returns:
        uint64 [len(keys), 8 * blocks].
    """
    key_words = np.frombuffer(b"".join(keys), "<u4").reshape(-1, 8)
    start = np.zeros((16, len(keys), blocks), np.uint32)
    start[:4] = np.frombuffer(b"expand 32-byte k", "<u4")[:, None, None]
    start[4:12] = key_words.T[:, :, None]
    start[12] = np.arange(first, first + blocks, dtype=np.uint32)
    start[13] = tensor
    state = start.copy()
    for _ in range(10):
        for a, b, c, d in _COLUMNS + _DIAGONALS:
            _quarter_round(state, a, b, c, d)
    state += start
    return np.ascontiguousarray(state.transpose(1, 2, 0), "<u4").view("<u8").reshape(len(keys), 8 * blocks)


_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def _quarter_round(state: NDArray[np.uint32], a: int, b: int, c: int, d: int) -> None:
    for to, add, mix, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[to] += state[add]
        mixed = state[mix] ^ state[to]
        state[mix] = (mixed << np.uint32(turn)) | (mixed >> np.uint32(32 - turn))


def ln(x: float) -> float:
    """Natural logarithm of 0 < x <= 1 from IEEE basic operations alone: the same bits on every platform."""
    m, e = math.frexp(x)
    if m < 0.7071067811865475:
        m, e = 2.0 * m, e - 1
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 27.0
    for odd in range(25, 0, -2):
        p = p * z + 1.0 / odd
    return e * _LN2 + 2.0 * s * p


def _tables() -> tuple[list[float], list[float]]:
    """Right edges of the layers, and the density there; layer 0 is the base with the tail, the last edge is 0."""
    edge, density = [_V / _DENSITY_R, _R], [0.0, _DENSITY_R]
    for layer in range(2, _LAYERS):
        density.append(density[-1] + _V / edge[-1])
        edge.append(math.sqrt(-2.0 * ln(density[layer])))
    return [*edge, 0.0], [*density, 1.0]


EDGE, DENSITY = _tables()
_STEP = np.array(EDGE[:-1]) / _TWO_53
_INSIDE = np.array([int(EDGE[i + 1] / EDGE[i] * _TWO_53) for i in range(_LAYERS)], np.uint64)


class _Words:
    """One key stream, extended when it runs out."""

    def __init__(self, key: bytes, tensor: int, words: NDArray[np.uint64]) -> None:
        self._key = key
        self._tensor = tensor
        self.words = words

    def extend(self) -> None:
        """Append eight more blocks."""
        more = key_stream([self._key], self._tensor, len(self.words) // 8, 8)[0]
        self.words = np.concatenate([self.words, more])

    def word(self, at: int) -> int:
        """Return the word at a place."""
        while at >= len(self.words):
            self.extend()
        return int(self.words[at])

    def unit(self, at: int) -> float:
        """Return the word at a place as a number in (0, 1], 53 bits."""
        return ((self.word(at) >> 11) + 1) / _TWO_53


def _fill(out: NDArray[np.float32], stream: _Words) -> None:
    """Fill `out` from one key stream.

    98.8 % of the words give a number by themselves; those are computed all at once. Where one does not, the words
    behind it are consumed one by one, exactly as a phone consumes them.
    """
    done = at = 0
    while True:
        values, edges = _quick(stream.words[at:])
        first, end = at, at + len(values)
        for place in (first + edges).tolist():
            if place < at:
                continue  # consumed with an earlier word
            run = min(place - at, len(out) - done)
            out[done : done + run] = values[at - first : at - first + run]
            done += run
            if done == len(out):
                return
            value, at = _edge(stream, place)
            if value is not None:
                out[done] = value
                done += 1
        run = max(0, min(end - at, len(out) - done))
        out[done : done + run] = values[at - first : at - first + run]
        done, at = done + run, max(at, end)
        if done == len(out):
            return
        stream.extend()


def _quick(words: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Every word as a number by itself, and the places of those that lie at the edge of their layer."""
    layer = (words & np.uint64(0xFF)).astype(np.intp)
    position = words >> np.uint64(11)
    values = position.astype(np.float64) * _STEP[layer]
    values[(words & np.uint64(0x100)) != 0] *= -1.0
    return values, np.flatnonzero(position >= _INSIDE[layer])


def _edge(stream: _Words, at: int) -> tuple[float | None, int]:
    """Decide a word at the edge of its layer.

    Returns:
        The number, or None if the word is rejected; and the place of the next word.
    """
    word = stream.word(at)
    layer, sign = word & 0xFF, -1.0 if word & 0x100 else 1.0
    at += 1
    if layer == 0:  # beyond the last edge: Marsaglia's rejection from an exponential, which has no end
        while True:
            x, y = -ln(stream.unit(at)) / _R, -ln(stream.unit(at + 1))
            at += 2
            if y + y > x * x:
                return sign * (_R + x), at
    x = float(word >> 11) * (EDGE[layer] / _TWO_53)
    height = DENSITY[layer] + stream.unit(at) * (DENSITY[layer + 1] - DENSITY[layer])
    return (sign * x if ln(height) < -0.5 * x * x else None), at + 1
