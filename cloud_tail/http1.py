"""HTTP/1.1 for one connection: headers are parsed once, bodies land in place, everything has a limit and a deadline.

Why not uvicorn or granian: with the same handler in front of a real tail and a body that arrives at once they are as
fast, uvicorn within 10 % in 11 of 12 comparisons (requests/s 0.86 to 1.06 of ours). But a phone's body arrives in
hundreds of packets, and looking at each costs uvicorn 9.2 and granian 7.3 ms of CPU a request where this code takes 5.1
(int8 tail). Nor do they hold the same limits: uvicorn has no deadline for headers and takes two Hosts or none, granian
takes bare line feeds, a length given twice and chunking given twice. Figures: benchmarks/serving, 2026-11-27.
Protocol errors are handled here: the application only ever sees whole requests.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import sys
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import numpy as np

from .http_headers import HeaderError, Incoming, RequestHeaders
from .http_parts import Reply

if TYPE_CHECKING:
    from .http_parts import Application

_REASONS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_NO_HEADERS = RequestHeaders("", "", (), {}, 0, chunked=False, keep_alive=False)
_SKIPPABLE = 1 << 20
_LINGER_SECONDS = 2.0
_ALIGNMENT = 16
_PIECE = 32 * 1024


class _State(enum.Enum):
    HEADERS = enum.auto()
    BODY = enum.auto()
    CHUNKS = enum.auto()
    SKIP = enum.auto()
    BUSY = enum.auto()
    LINGER = enum.auto()


class Connection(asyncio.BufferedProtocol):
    """One client. Requests are answered in order; pipelined ones wait in the header buffer.

    A phone sends the same request headers with every photo, so each connection keeps the last ones it parsed: equal
    bytes have equal meaning. The memory is per connection: one shared by all would answer sooner to headers that
    carry another client's token, and so reveal that the token is right.

    Attributes:
        peer: the client's address, without its port.
        headers, started: the current request's headers and when they were complete, on `time.perf_counter`.
        deadline: when to give up waiting, on `time.monotonic`.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self.transport: asyncio.Transport | None = None
        self.deadline = float("inf")
        self.peer = ""
        self.headers = _NO_HEADERS
        self.started = 0.0
        self._known: tuple[bytes, RequestHeaders] = b"", _NO_HEADERS
        self._state = _State.HEADERS
        self._buffer = bytearray(app.limits.header_bytes)
        self._view = memoryview(self._buffer)
        self._end = 0
        self._body = memoryview(b"")
        self._filled = 0
        self._skip = 0
        self._incoming: Incoming | None = None
        self._socket: socket.socket | None = None
        self._least = 1
        self._refusal: Reply | None = None
        self._keep_alive = True
        self._paused = False
        self._choked = False
        self._advancing = False

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the client, or turn it away if there are too many."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else "local"
        if len(self.app.connections) >= self.app.limits.connections:
            self._send(Reply(503, b'{"error":"Too many connections; try again."}', {"Retry-After": "1"}, close=True))
            transport.close()
            return
        self.app.connections.add(self)
        if sys.platform == "linux" and transport.get_extra_info("sslcontext") is None:
            self._socket = transport.get_extra_info("socket")
        self._expect_headers()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go; a body's bytes go straight to their final place."""
        if self._state is _State.BODY:
            return self._body[self._filled :]
        if self._state in (_State.SKIP, _State.LINGER, _State.CHUNKS):
            return self._view
        return self._view[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """Process the bytes that have arrived."""
        state = self._state
        if state is _State.BODY:
            self._filled += nbytes
            if nbytes < _PIECE or self._least > 1:
                self._wake_after(len(self._body) - self._filled)
            if self._filled == len(self._body):
                self._dispatch(self._body)
        elif state is _State.CHUNKS:
            self._feed_chunks(bytes(self._view[:nbytes]))
        elif state is _State.SKIP:
            self._skip_some(nbytes)
        elif state is _State.LINGER:
            pass
        else:
            self._end += nbytes
            if state is _State.HEADERS and not self._choked:
                self._advance()
            if (
                self._state in (_State.BUSY, _State.HEADERS)
                and self._end == len(self._buffer)
                and self.transport is not None
            ):
                self._paused = True  # more pipelined requests than fit wait in the socket
                self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Stop answering a client that does not read its answers."""
        self._choked = True

    def resume_writing(self) -> None:
        """Continue once the client reads again."""
        self._choked = False
        self._resume()

    def eof_received(self) -> bool:
        """Still answer a half-closed client that waits for its answer; close in every other case."""
        self._keep_alive = False
        secure = self.transport is not None and self.transport.get_extra_info("sslcontext") is not None
        return self._state is _State.BUSY and not secure

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self.app.connections.discard(self)
        self.transport = self._socket = None
        self._body = memoryview(b"")

    # requests

    def _expect_headers(self) -> None:
        self._state, self.headers = _State.HEADERS, _NO_HEADERS
        limits = self.app.limits
        self.deadline = time.monotonic() + (limits.header_seconds if self._end else limits.idle_seconds)

    def _advance(self) -> None:
        """Take requests out of the buffer until one needs more bytes or time; a loop, not a recursion."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._state is _State.HEADERS and self._end and not self._choked and self.transport is not None:
                if not self._take_headers():
                    break
        finally:
            self._advancing = False

    def _take_headers(self) -> bool:
        lead = 0
        while self._buffer.startswith(b"\r\n", lead, self._end):  # a stray empty line after a body is allowed
            lead += 2
        stop = self._buffer.find(b"\r\n\r\n", lead, self._end)
        if stop < 0:
            if self._end == len(self._buffer):
                self._fail(431, "The request headers are too long.")
            elif self.deadline > (due := time.monotonic() + self.app.limits.header_seconds):
                self.deadline = due
            return False
        raw = bytes(self._view[lead : stop + 4])
        rest = self._end - stop - 4
        self._buffer[:rest] = self._buffer[stop + 4 : self._end]
        self._end = rest
        self._parse(raw)
        return True

    def _parse(self, raw: bytes) -> None:
        self.started = time.perf_counter()
        if raw != self._known[0]:
            try:
                incoming = Incoming(raw)
            except HeaderError as error:
                self._fail(error.status, str(error))
                return
            if incoming.headers.chunked:
                self._incoming = incoming
            self._known = b"" if incoming.headers.chunked else raw, incoming.headers
        self.headers = self._known[1]
        self._keep_alive = self.headers.keep_alive and not self.app.draining
        self._start_body(self.headers)

    def _start_body(self, headers: RequestHeaders) -> None:
        length, limit = headers.length, self.app.limits.body_bytes
        if length > limit:
            self._fail(413, f"The body has {length} bytes, this server takes {limit}.")
            return
        refusal = self.app.admit(headers, self.peer)
        if refusal is not None and (refusal.close or headers.chunked or length > _SKIPPABLE):
            self._give_up(refusal)
            return
        self.deadline = time.monotonic() + self.app.limits.body_seconds
        if self._end < length or headers.chunked:
            self._continue(headers)
        if refusal is not None:
            self._refusal, self._skip, self._state = refusal, length, _State.SKIP
            self._take_skipped()
        elif headers.chunked:
            self._state = _State.CHUNKS
            early, self._end = bytes(self._view[: self._end]), 0
            self._feed_chunks(early)
        else:
            self._take_body(length)

    def _continue(self, headers: RequestHeaders) -> None:
        if headers.fields.get("expect", "").lower() == "100-continue" and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_body(self, length: int) -> None:
        have = min(length, self._end)
        # the tensor starts where its JSON header ends; aligned in memory, its values need no second copy
        lead = -self.app.tensor_at(self.headers) % _ALIGNMENT
        self._body = np.empty(lead + length, np.uint8).data[lead:]  # not cleared: it is passed on once it is full
        self._body[:have] = self._view[:have]
        self._end -= have
        self._buffer[: self._end] = self._buffer[have : have + self._end]
        self._filled, self._state = have, _State.BODY
        if have == length:
            self._dispatch(self._body)

    def _wake_after(self, missing: int) -> None:
        """Let the kernel wake us only once a large piece of the body, or its end, has arrived.

        Over a phone's link a body comes in hundreds of packets; waking for each costs more than everything else.
        """
        least = max(1, min(missing, _PIECE))
        if least != self._least and self._socket is not None:
            self._least = least
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)

    def _take_skipped(self) -> None:
        have = min(self._skip, self._end)
        self._end -= have
        self._buffer[: self._end] = self._buffer[have : have + self._end]
        self._skip -= have
        if self._skip == 0:
            self._finish_skip()

    def _skip_some(self, nbytes: int) -> None:
        self._end = max(0, nbytes - self._skip)
        self._buffer[: self._end] = self._buffer[nbytes - self._end : nbytes]
        self._skip -= nbytes - self._end
        if self._skip == 0:
            self._finish_skip()

    def _finish_skip(self) -> None:
        self._state = _State.BUSY
        if self._refusal is not None:
            self.reply(self._refusal)

    def _feed_chunks(self, data: bytes) -> None:
        incoming, limit = self._incoming, self.app.limits.body_bytes
        if incoming is None:
            return
        try:
            incoming.feed(data)
        except HeaderError as error:
            self._fail(error.status, str(error))
            return
        if len(incoming.body) > limit:
            self._fail(413, f"The body is longer than {limit} bytes.")
        elif incoming.complete:
            self._keep_alive = False  # whatever follows in the same buffer is ignored
            self._incoming = None
            self._dispatch(memoryview(incoming.body))

    def _dispatch(self, body: memoryview) -> None:
        self._state = _State.BUSY
        self.deadline = float("inf")
        self._body = memoryview(b"")
        answer = self.app.handle(self.headers, body, self)
        if answer is not None:
            self.reply(answer)

    # answers

    def reply(self, reply: Reply) -> None:
        """Answer the current request; does nothing if the client has gone."""
        if self.transport is None or self._state is not _State.BUSY:
            return
        if self.app.draining:
            self._keep_alive = False
        self._send(reply)
        if reply.close or not self._keep_alive:
            self.transport.close()
            return
        self._expect_headers()
        self._resume()

    def _resume(self) -> None:
        self._advance()
        if self._paused and self._end < len(self._buffer) and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def _send(self, reply: Reply) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        lines = [_REASONS[reply.status]]
        lines += [f"{name}: {value}\r\n" for name, value in reply.headers.items()]
        if "Content-Type" not in reply.headers:
            lines.append("Content-Type: application/json\r\n")
        if reply.close or not self._keep_alive:
            lines.append("Connection: close\r\n")
        lines.append(f"Content-Length: {len(reply.body)}\r\n\r\n")
        front = "".join(lines).encode("latin-1")
        self.transport.write(front if self.headers.method == "HEAD" else front + reply.body)
        self.app.sent(self, reply.status)

    def _fail(self, status: int, sentence: str) -> None:
        self._give_up(Reply(status, b'{"error":"%s"}' % sentence.encode(), close=True))

    def _give_up(self, reply: Reply) -> None:
        """Answer, then read on for a moment: closing at once would reset a client that is still sending."""
        self._send(reply)
        self._state, self._end = _State.LINGER, 0
        self.deadline = time.monotonic() + _LINGER_SECONDS
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed; the server calls this for every connection twice a second."""
        if self.transport is None or now < self.deadline:
            return
        self.deadline = float("inf")
        if self._state in (_State.BODY, _State.CHUNKS, _State.SKIP) or (self._state is _State.HEADERS and self._end):
            self._send(Reply(408, b'{"error":"The request took too long to arrive."}', close=True))
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def close_if_idle(self) -> None:
        """Close between requests, never during one."""
        if self.transport is not None and self._state is _State.HEADERS and not self._end:
            self.transport.close()
