"""What an HTTP connection and the application behind it exchange: limits, a request's head, a whole reply."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .http1 import Connection
    from .http_head import Head


@dataclass(frozen=True)
class Limits:
    """What one connection may ask for."""

    head_bytes: int = 16 * 1024
    body_bytes: int = 16 << 20
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    connections: int = 1024


class Reply(NamedTuple):
    """A whole answer; `close` gives the connection up after it, even if a body is still on its way."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    close: bool = False


class Application(Protocol):
    """What a connection talks to."""

    limits: Limits
    draining: bool
    connections: set[Connection]

    def admit(self, head: Head, peer: str) -> Reply | None:
        """Refuse a request before its body is read, or let it in."""

    def tensor_at(self, head: Head) -> int:
        """Where in the body its bulk starts, as far as the head tells; a hint, 0 where it does not."""

    def handle(self, head: Head, body: memoryview, connection: Connection) -> Reply | None:
        """Answer now, or return None and call `connection.reply` later."""

    def sent(self, connection: Connection, status: int) -> None:
        """Take note of an answer, also of those that never reached `handle`."""
