"""What an HTTP connection and the application behind it exchange: limits, request headers, a whole reply."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http_headers import RequestHeaders


@dataclass(frozen=True)
class Limits:
    """What one connection may use."""

    header_bytes: int = 16 * 1024
    body_bytes: int = 16 << 20
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    connections: int = 1024


class Reply(NamedTuple):
    """A whole answer; `close` closes the connection after it, even if a body is still arriving."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    close: bool = False


class Connection(Protocol):
    """One client, as the application sees it.

    Attributes:
        peer: the client's address, without its port.
        headers, started: the current request's headers and when they were complete, on `time.perf_counter`.
    """

    peer: str
    headers: RequestHeaders
    started: float

    def reply(self, reply: Reply) -> None:
        """Send the answer to the current request."""

    def close_if_idle(self) -> None:
        """Close unless a request is under way."""

    def expire(self, now: float) -> None:
        """Give up waiting if the deadline has passed; `now` on `time.monotonic`."""


class Application(Protocol):
    """What a connection talks to."""

    limits: Limits
    draining: bool
    connections: set[Connection]

    def admit(self, headers: RequestHeaders, peer: str) -> Reply | None:
        """Refuse a request before its body is read, or return None to accept it."""

    def tensor_at(self, headers: RequestHeaders) -> int:
        """Where in the body the tensor starts, according to the headers; a hint, 0 if they do not say."""

    def handle(self, headers: RequestHeaders, body: memoryview, connection: Connection) -> Reply | None:
        """Answer now, or return None and call `connection.reply` later."""

    def sent(self, connection: Connection, status: int) -> None:
        """Record an answer, including those to requests that never reached `handle`."""
