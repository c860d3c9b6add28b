"""Our handler behind somebody else's HTTP: what `rest.Rest` answers, for uvicorn (ASGI) and granian (RSGI).

    PRIPRO_ARCHIVE=x.mar PRIPRO_PRECISION=f32 uvicorn --app-dir benchmarks/serving/peers same_handler:asgi ...
    PRIPRO_ARCHIVE=x.mar granian --interface rsgi same_handler:rsgi ...

Everything but the transport is the real thing: registry, batcher, engine, codec, metrics, refusals. The limits are
those of our server as far as the two let an application hold them: body size by its declared length and again while it
comes in, a deadline for the body, and admission before the body is read.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from cloud_tail.archive import open_archive
from cloud_tail.batcher import Batcher
from cloud_tail.engine import load_engine
from cloud_tail.guard import RateLimit
from cloud_tail.http_headers import RequestHeaders
from cloud_tail.http_parts import Limits, Reply
from cloud_tail.metrics import Metrics
from cloud_tail.registry import Registry, Served
from cloud_tail.rest import Rest
from cloud_tail.server import _settle, _warm

LIMITS = Limits(
    body_bytes=int(os.environ.get("PRIPRO_MAX_BODY", 16 << 20)),
    body_seconds=float(os.environ.get("PRIPRO_BODY_SECONDS", 30)),
)


class Waiting:
    """Stands where our own connection stands: takes the answer that comes later."""

    def __init__(self, headers: RequestHeaders) -> None:
        self.headers = headers
        self.started = time.perf_counter()
        self.answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def reply(self, reply: Reply) -> None:
        """Pass the answer on, unless the request was given up meanwhile."""
        if not self.answered.done():
            self.answered.set_result(reply)


class Handler:
    """One archive behind `Rest`, on the running event loop."""

    def __init__(self) -> None:
        archive = open_archive(Path(os.environ["PRIPRO_ARCHIVE"]))
        precision = os.environ.get("PRIPRO_PRECISION", "f32")
        engine = load_engine(archive, precision=precision)
        _warm(engine, archive, 8)
        metrics, registry = Metrics(), Registry()
        batcher = Batcher(
            engine,
            max_batch=8,
            max_wait_ms=0,
            limit=64,
            workers=1,
            loop=asyncio.get_running_loop(),
            observe=partial(metrics.ran, archive.signature.name),
        )
        registry.add(Served(archive.signature, archive.digest, "onnxruntime", precision, batcher))
        self.rest = Rest(registry, metrics, LIMITS, token=None, rate=RateLimit(0))
        _settle()

    def admit(self, headers: RequestHeaders, peer: str) -> Reply | None:
        """What our server does before it reads a body."""
        if headers.length > LIMITS.body_bytes:
            return too_long()
        return self.rest.admit(headers, peer)

    async def answer(self, headers: RequestHeaders, body: bytes | bytearray) -> Reply:
        """Answer a whole request."""
        waiting = Waiting(headers)
        reply = self.rest.handle(headers, memoryview(body), waiting)  # type: ignore[arg-type]
        return await waiting.answered if reply is None else reply


def too_long() -> Reply:
    """The refusal of a body beyond the limit."""
    return Reply(413, b'{"error":"The body is too long."}', close=True)


def too_slow() -> Reply:
    """The refusal of a body that does not arrive."""
    return Reply(408, b'{"error":"The request took too long to arrive."}', close=True)


def headers_of(method: str, path: str, fields: dict[str, str]) -> RequestHeaders:
    """As our parser would tell it; the transport has checked the lengths already."""
    length = fields.get("content-length", "0")
    parts = tuple(path.strip("/").split("/"))
    return RequestHeaders(method, path, parts, fields, int(length), "transfer-encoding" in fields, keep_alive=True)


class Asgi:
    """The application for uvicorn."""

    def __init__(self) -> None:
        self._handler: Handler | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "lifespan":
            await receive()
            self._handler = Handler()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        if self._handler is None:
            raise RuntimeError("the server did not start the application first")
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers = headers_of(scope["method"], scope["path"], fields)
        reply = self._handler.admit(headers, scope["client"][0])
        if reply is None:
            try:
                async with asyncio.timeout(LIMITS.body_seconds):
                    body = await self._body(receive)
                reply = too_long() if body is None else await self._handler.answer(headers, body)
            except TimeoutError:
                reply = too_slow()
        told = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        if reply.close:
            told["Connection"] = "close"
        raw = [(name.lower().encode(), value.encode()) for name, value in told.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})

    async def _body(self, receive: Any) -> bytes | bytearray | None:  # noqa: ANN401
        first = await receive()
        if not first.get("more_body"):
            return first.get("body", b"") if len(first.get("body", b"")) <= LIMITS.body_bytes else None
        body = bytearray(first["body"])
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > LIMITS.body_bytes:
                return None
            if not message.get("more_body"):
                return body


class Rsgi:
    """The application for granian."""

    def __init__(self) -> None:
        self._handler: Handler | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        async def make() -> Handler:
            return Handler()

        self._handler = loop.run_until_complete(make())

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:  # noqa: ANN401
        if self._handler is None:
            raise RuntimeError("the server did not start the application first")
        fields = dict(scope.headers.items())
        headers = headers_of(scope.method, scope.path, fields)
        reply = self._handler.admit(headers, scope.client.rpartition(":")[0])
        if reply is None:
            try:
                async with asyncio.timeout(LIMITS.body_seconds):
                    body = await self._body(headers, protocol)
                reply = too_long() if body is None else await self._handler.answer(headers, body)
            except TimeoutError:
                reply = too_slow()
        told = {"content-type": "application/json", **{name.lower(): value for name, value in reply.headers.items()}}
        protocol.response_bytes(reply.status, list(told.items()), reply.body)

    async def _body(self, headers: RequestHeaders, protocol: Any) -> bytes | bytearray | None:  # noqa: ANN401
        if "content-length" in headers.fields:  # its size is known and allowed: taken whole, which costs least
            return bytes(await protocol())
        body = bytearray()
        async for part in protocol:
            body += part
            if len(body) > LIMITS.body_bytes:
                return None
        return body


asgi = Asgi()
rsgi = Rsgi()
