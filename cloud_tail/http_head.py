"""One request's head: from bytes to what was asked, refused wherever two readers could understand it differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

#: a second value for one of these would let two readers of one request disagree
_SINGLE = frozenset(
    {
        "host", "content-length", "transfer-encoding", "content-encoding", "content-type",
        "authorization", "inference-header-content-length", "pripro-bundle-id",
    }
)  # fmt: skip


class HeadError(Exception):
    """No request that this server would act on; the connection ends with `status`."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Head(NamedTuple):
    """A request without its body.

    Attributes:
        target: the path as it came, without its query; `path`: its parts.
        headers: names in lower case, values as latin-1.
        length: the body's bytes; 0 where it comes in chunks.
        keep_alive: whether the client wants the connection kept.
    """

    method: str
    target: str
    path: tuple[str, ...]
    headers: Mapping[str, str]
    length: int
    chunked: bool
    keep_alive: bool


class Incoming:
    """Reads a request with httptools: its head at once, a chunked body in pieces.

    Attributes:
        head: the head.
        body: a chunked body's bytes so far; `complete` once its end has come.

    Raises:
        HeadError: the head is malformed or ambiguous.
    """

    def __init__(self, raw: bytes) -> None:
        self.body = bytearray()
        self.complete = False
        self._target = b""
        self._headers: dict[str, str] = {}
        self._doubled: str | None = None
        self._read = False
        self._parser = httptools.HttpRequestParser(self)
        if raw.count(b"\n") != raw.count(b"\r\n"):
            raise HeadError(400, "The request's head has a bare line feed.")
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            pass  # an offer to switch protocols may be ignored
        except httptools.HttpParserError:
            raise HeadError(400, "This is not an HTTP/1.1 request.") from None
        self._read = True
        self.head = self._checked()

    def feed(self, data: bytes) -> None:
        """Take in more of a chunked body.

        Raises:
            HeadError: the chunks are malformed.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise HeadError(400, "The chunked body is malformed.") from None

    def _checked(self) -> Head:
        headers, version = self._headers, self._parser.get_http_version()
        if self._doubled is not None:
            raise HeadError(400, f"The header {self._doubled} came twice.")
        if version not in ("1.0", "1.1"):
            raise HeadError(505, "This server speaks HTTP/1.1.")
        if version == "1.1" and "host" not in headers:
            raise HeadError(400, "The header Host is missing.")
        chunked = "transfer-encoding" in headers
        if chunked and (headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers):
            raise HeadError(400, "Transfer-Encoding may only be chunked, and not beside Content-Length.")
        claimed = headers.get("content-length", "0")
        if not (claimed.isascii() and claimed.isdigit() and len(claimed) < 19):
            raise HeadError(400, "Content-Length must be a number of bytes.")
        asked = {word.strip() for word in headers.get("connection", "").lower().split(",")}
        target = self._target.partition(b"?")[0].decode("latin-1")
        return Head(
            method=self._parser.get_method().decode("latin-1"),
            target=target,
            path=tuple(target.strip("/").split("/")),
            headers=headers,
            length=int(claimed),
            chunked=chunked,
            keep_alive="close" not in asked if version == "1.1" else "keep-alive" in asked,
        )

    # what httptools calls

    def on_url(self, part: bytes) -> None:
        """Collect the target, perhaps in parts."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header; trailers behind a chunked body count for nothing."""
        if self._read:
            return
        key = name.decode("latin-1").lower()
        if key in _SINGLE and key in self._headers:
            self._doubled = key
        self._headers[key] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Collect a piece of a chunked body."""
        if not self.complete:
            self.body += part

    def on_message_complete(self) -> None:
        """Note a chunked body's end."""
        self.complete = self._read
