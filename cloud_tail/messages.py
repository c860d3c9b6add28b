"""The server's side of entropy-coded features: a request's messages, checked at once and decoded later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import WireError
from .wire import CODED_NAME, V2_NAMES

if TYPE_CHECKING:
    from .coder import Coder
    from .signature import Signature, TensorSpec
    from .wire import Array, Buffer

#: what one request may decode to: a few bytes can stand for many codes, so the body's limit bounds nothing
_MAX_CODES = 1 << 20
_MAX_MESSAGES = 1024


class Messages:
    """The entropy-coded items of a request, told apart but not decoded yet.

    Decoding takes its time, 0.2 ms for 1,000 values, so it is left to the thread that runs the tail.
    """

    def __init__(self, messages: list[bytes], coder: Coder) -> None:
        self._messages = messages
        self._coder = coder

    def __len__(self) -> int:
        return len(self._messages)

    def decode(self) -> Array:
        """Return the codes, uint8 [n,C,h,w].

        Raises:
            WireError: an item is not a message of this tail's coding.
        """
        return np.stack([self._coder.decode(message) for message in self._messages])


def datatypes(signature: Signature) -> list[str]:
    """The datatypes that a tail accepts, by their names in the protocol."""
    plain = [V2_NAMES[spec.dtype] for spec in signature.inputs]
    return plain if signature.coding is None else [*plain, CODED_NAME]


def messages_of(
    payload: Buffer | list[Any], shape: tuple[int, ...], table_id: object, signature: Signature
) -> tuple[Messages, TensorSpec]:
    """Check a BYTES tensor as far as that is possible without decoding it.

    Args:
        payload: each message behind its length, 4 bytes little-endian; or a list of messages (gRPC).
        shape: as the sender states it.
        table_id: the tables that it was coded with, as the sender states them.
        signature: of the tail.

    Returns:
        The messages and the spec of the codes in them.

    Raises:
        WireError: the tail accepts no messages, or not with these tables, or not so many, or they do not add up.
    """
    coder, spec = signature.coder, signature.codes
    if coder is None or spec is None:
        raise WireError(f"This tail takes {', '.join(datatypes(signature))}, not {CODED_NAME}.")
    if len(shape) != 1:
        raise WireError(f"The shape of {CODED_NAME} is [n], one message per item; this one is {list(shape)}.")
    expected = coder.coding.table_id
    if table_id != expected:
        given = repr(table_id[:40]) if isinstance(table_id, str) else "missing or not a string"
        raise WireError(f"The table_id is {given}, but this tail decodes with {expected!r}; use its bundle's head.")
    most = min(_MAX_MESSAGES, _MAX_CODES // coder.values)
    if shape[0] > most:
        raise WireError(f"One request may hold {most} messages of this size; this one has {shape[0]}.")
    messages = _listed(payload) if isinstance(payload, list) else _split(payload, shape[0])
    if len(messages) != shape[0]:
        raise WireError(f"The shape says {shape[0]} messages, but there are {len(messages)}.")
    return Messages(messages, coder), spec


def _listed(payload: list[Any]) -> list[bytes]:
    if not all(isinstance(message, bytes) for message in payload):
        raise WireError(f"{CODED_NAME} needs binary_data_size and its bytes after the JSON header, not data.")
    return payload


def _split(payload: Buffer, items: int) -> list[bytes]:
    view, messages, at = memoryview(payload), [], 0
    for _ in range(items):
        end = at + 4 + int.from_bytes(view[at : at + 4], "little")
        if end > len(view):
            raise WireError("The messages are cut off; each is its length in 4 bytes, then as many bytes.")
        messages.append(bytes(view[at + 4 : end]))
        at = end
    if at != len(view):
        raise WireError(f"{len(view) - at} bytes follow the last of {items} messages.")
    return messages
