"""Request headers: parsed from bytes, and refused wherever two readers could understand them differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

#: a second value for one of these would let two readers of the same request disagree
_SINGLE = frozenset(
    {
        "host", "content-length", "transfer-encoding", "content-encoding", "content-type",
        "authorization", "inference-header-content-length", "pripro-bundle-id", "pripro-table-id",
    }
)  # fmt: skip


class HeaderError(Exception):
    """Headers that this server does not act on; the connection ends with `status`."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class RequestHeaders(NamedTuple):
    """A request line and its header fields, without the body.

    Attributes:
        target: the path as it was sent, without its query; `path`: its parts.
        fields: names in lower case, values as latin-1.
        length: the body's bytes; 0 for a chunked body.
        keep_alive: whether the client wants to keep the connection open.
    """

    method: str
    target: str
    path: tuple[str, ...]
    fields: Mapping[str, str]
    length: int
    chunked: bool
    keep_alive: bool


class Incoming:
    """Reads a request with httptools: its headers at once, a chunked body in pieces.

    Attributes:
        headers: the parsed headers.
        body: a chunked body's bytes so far; `complete` once its end has arrived.

    Raises:
        HeaderError: the headers are malformed or ambiguous.
    """

    def __init__(self, raw: bytes) -> None:
        self.body = bytearray()
        self.complete = False
        self._target = b""
        self._fields: dict[str, str] = {}
        self._doubled: str | None = None
        self._read = False
        self._parser = httptools.HttpRequestParser(self)
        if raw.count(b"\n") != raw.count(b"\r\n"):
            raise HeaderError(400, "The request headers contain a bare line feed.")
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            pass  # a server may ignore an offer to switch protocols
        except httptools.HttpParserError:
            raise HeaderError(400, "This is not an HTTP/1.1 request.") from None
        self._read = True
        self.headers = self._checked()

    def feed(self, data: bytes) -> None:
        """Add more of a chunked body.

        Raises:
            HeaderError: the chunks are malformed.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise HeaderError(400, "The chunked body is malformed.") from None

    def _checked(self) -> RequestHeaders:
        fields, version = self._fields, self._parser.get_http_version()
        if self._doubled is not None:
            raise HeaderError(400, f"The header {self._doubled} appears twice.")
        if version not in ("1.0", "1.1"):
            raise HeaderError(505, "This server speaks HTTP/1.1.")
        if version == "1.1" and "host" not in fields:
            raise HeaderError(400, "The header Host is missing.")
        chunked = "transfer-encoding" in fields
        if chunked and (fields["transfer-encoding"].lower() != "chunked" or "content-length" in fields):
            raise HeaderError(400, "Transfer-Encoding must be chunked, and not together with Content-Length.")
        claimed = fields.get("content-length", "0")
        if not (claimed.isascii() and claimed.isdigit() and len(claimed) < 19):
            raise HeaderError(400, "Content-Length must be a number of bytes.")
        asked = {word.strip() for word in fields.get("connection", "").lower().split(",")}
        target = self._target.partition(b"?")[0].decode("latin-1")
        return RequestHeaders(
            method=self._parser.get_method().decode("latin-1"),
            target=target,
            path=tuple(target.strip("/").split("/")),
            fields=fields,
            length=int(claimed),
            chunked=chunked,
            keep_alive="close" not in asked if version == "1.1" else "keep-alive" in asked,
        )

    # what httptools calls

    def on_url(self, part: bytes) -> None:
        """Collect the target, which may come in parts."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header; trailers after a chunked body are ignored."""
        if self._read:
            return
        key = name.decode("latin-1").lower()
        if key in _SINGLE and key in self._fields:
            self._doubled = key
        self._fields[key] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Collect a piece of a chunked body."""
        if not self.complete:
            self.body += part

    def on_message_complete(self) -> None:
        """Record the end of a chunked body."""
        self.complete = self._read
