"""What an HTTP connection and the application behind it exchange: limits, a request's head, a whole reply."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http1 import Connection

#: a second value for one of these would let two readers of one request disagree
_SINGLE = frozenset(
    {
        "host", "content-length", "transfer-encoding", "content-encoding", "content-type",
        "authorization", "inference-header-content-length", "pripro-bundle-id",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one connection may ask for."""

    head_bytes: int = 16 * 1024
    body_bytes: int = 16 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    connections: int = 1024


@dataclass(frozen=True)
class Reply:
    """A whole answer; `close` gives the connection up after it, even if a body is still on its way."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False


class Head:
    """A request without its body, filled in by httptools.

    Attributes:
        headers: names in lower case, values as latin-1.
        chunks: a chunked body's bytes so far; `complete` once its end has come.
    """

    __slots__ = ("chunks", "complete", "doubled", "headers", "method", "peer", "read", "started", "target")

    def __init__(self, peer: str) -> None:
        self.method = ""
        self.target = b""
        self.headers: dict[str, str] = {}
        self.peer = peer
        self.started = time.perf_counter()
        self.doubled: str | None = None
        self.chunks = bytearray()
        self.read = False
        self.complete = False

    def on_url(self, part: bytes) -> None:
        """Collect the target, perhaps in parts."""
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header; trailers behind a chunked body count for nothing."""
        if self.read:
            return
        key = name.decode("latin-1").lower()
        if key in _SINGLE and key in self.headers:
            self.doubled = key
        self.headers[key] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Collect a piece of a chunked body."""
        if not self.complete:
            self.chunks += part

    def on_message_complete(self) -> None:
        """Note a chunked body's end."""
        self.complete = self.read


class Application(Protocol):
    """What a connection talks to."""

    limits: Limits
    draining: bool
    connections: set[Connection]

    def admit(self, head: Head) -> Reply | None:
        """Refuse a request before its body is read, or let it in."""

    def tensor_at(self, head: Head) -> int:
        """Where in the body its bulk starts, as far as the head tells; a hint, 0 where it does not."""

    def handle(self, head: Head, body: memoryview, connection: Connection) -> Reply | None:
        """Answer now, or return None and call `connection.reply` later."""

    def sent(self, head: Head, status: int) -> None:
        """Take note of an answer, also of those that never reached `handle`."""
