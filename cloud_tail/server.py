"""This project's server: load archives, listen, answer, drain. `serve` blocks until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import math
import os
import signal
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .archive import Archive, open_archive
from .batcher import Batcher
from .cores import usable_cores
from .engine import Engine, load_engine
from .errors import EngineError, TailError
from .guard import RateLimit, read_token
from .http1 import Connection
from .http_parts import Limits
from .log import log
from .metrics import Metrics
from .registry import Registry, Served, refuse_doubles
from .rest import Rest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grpc.aio import Server as GrpcServer

    from .grpc_v2 import Service as GrpcService

_SWEEP_SECONDS = 0.5


@dataclass(frozen=True)
class Options:
    """How to serve; the command line's options have the same names.

    Attributes:
        port: 0 picks a free one. grpc_port: None for no gRPC, 0 for a free one.
        max_body: bytes. rate: requests per second from one address, 0 for no limit. queue: items that may wait.
        max_wait_ms: how long a batch waits for more items; 0 takes what is queued.
        workers: inference threads per tail; 0 means one per usable core.
        drain_seconds: longest wait for requests in flight after SIGTERM.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_body: int = 16 << 20
    rate: float = 0.0
    queue: int = 64
    max_batch: int = 8
    max_wait_ms: float = 0.0
    workers: int = 0
    engine: str = "onnxruntime"
    precision: str = "f32"
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    drain_seconds: float = 30.0
    ready_file: Path | None = None
    access_log: bool = False


def serve(archives: Sequence[Path], options: Options = Options(), *, load: Callable[..., Engine] = load_engine) -> None:
    """Serve archives until told to stop.

    Args:
        archives: .mar files; two may share a name if their bundles differ.
        options: see `Options`.
        load: builds an engine from an archive; benchmarks pass one that does nothing.

    Raises:
        TailError: an archive, an option, the engine or the address cannot be used.
    """
    if not archives:
        raise TailError("There is nothing to serve; give at least one .mar.")
    server = _Server([open_archive(path) for path in archives], options, load)
    if sys.platform == "win32":
        asyncio.run(server.run())
    else:
        import uvloop

        uvloop.run(server.run())


class _Server:
    def __init__(self, archives: list[Archive], options: Options, load: Callable[..., Engine]) -> None:
        refuse_doubles(archives)
        _check(options)
        self._options = options
        self._token = None if options.token_file is None else read_token(options.token_file)
        self._tls = _tls(options)
        self._archives = archives
        self._load = load
        self._registry = Registry()
        self._metrics = Metrics()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        options = self._options
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._load_all(loop)
        limits = Limits(
            body_bytes=options.max_body, header_seconds=options.header_seconds, body_seconds=options.body_seconds
        )
        rate = RateLimit(options.rate)
        rest = Rest(self._registry, self._metrics, limits, token=self._token, rate=rate, access_log=options.access_log)
        try:
            server = await loop.create_server(
                lambda: Connection(rest), options.host, options.port, ssl=self._tls, backlog=512, reuse_address=True
            )
        except OSError as error:
            raise TailError(
                f"{options.host}:{options.port} cannot be used ({error.strerror}); choose another --port."
            ) from None
        service, grpc_server, grpc_port = await self._start_grpc(rate)
        self._announce(server.sockets[0].getsockname()[1], grpc_port)
        _settle()
        sweeper = asyncio.create_task(_sweep(rest))
        await self._stop.wait()
        log("draining", connections=len(rest.connections))
        rest.draining = True
        if service is not None and grpc_server is not None:
            service.draining = True
            await grpc_server.stop(options.drain_seconds)
        await self._drain(server, rest)
        sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeper
        for served in self._registry:
            served.batcher.stop()
        log("stopped")

    async def _start_grpc(self, rate: RateLimit) -> tuple[GrpcService | None, GrpcServer | None, int | None]:
        options = self._options
        if options.grpc_port is None:
            return None, None, None
        try:
            from .grpc_v2 import Service, start
        except ImportError:
            raise TailError("gRPC needs the package grpcio; get it with: pip install 'pripro-toolkit[tail]'") from None
        service = Service(self._registry, self._metrics, token=self._token, rate=rate)
        pair = None
        if options.tls_cert is not None and options.tls_key is not None:
            pair = options.tls_key.read_bytes(), options.tls_cert.read_bytes()
        address = f"{_bracketed(options.host)}:{options.grpc_port}"
        server, port = await start(service, address, max_body=options.max_body, tls=pair)
        return service, server, port

    def _load_all(self, loop: asyncio.AbstractEventLoop) -> None:
        options = self._options
        for archive in self._archives:
            signature = archive.signature
            engine = self._load(archive, engine=options.engine, precision=options.precision)
            _warm(engine, archive, options.max_batch)
            batcher = Batcher(
                engine,
                max_batch=options.max_batch,
                max_wait_ms=options.max_wait_ms,
                limit=options.queue,
                workers=options.workers or usable_cores(),
                loop=loop,
                observe=partial(self._metrics.ran, signature.name),
            )
            self._metrics.watch_queue(signature.name, batcher)
            self._registry.add(Served(signature, archive.digest, options.engine, options.precision, batcher))
            log(
                "loaded",
                model=signature.name,
                bundle_id=signature.bundle_id,
                engine=options.engine,
                precision=options.precision,
            )
        self._archives = []  # the engines have their own copies

    def _announce(self, port: int, grpc_port: int | None) -> None:
        scheme = "http" if self._tls is None else "https"
        url = f"{scheme}://{_bracketed(self._options.host)}:{port}"
        if self._options.ready_file is not None:
            ready = {"url": url, "port": port, "grpc_port": grpc_port, "pid": os.getpid()}
            aside = self._options.ready_file.with_suffix(".part")
            aside.write_text(json.dumps(ready))
            aside.replace(self._options.ready_file)
        beside = "" if grpc_port is None else f" (gRPC on port {grpc_port})"
        print(f"listening on {url}{beside}", file=sys.stderr, flush=True)

    async def _drain(self, server: asyncio.Server, rest: Rest) -> None:
        """Stop accepting connections, answer all accepted requests, then close."""
        _ignore_newcomers(server)
        await asyncio.sleep(0.1)  # clients whose connection the system has accepted already are still served
        server.close()
        until = time.monotonic() + self._options.drain_seconds
        quiet = time.monotonic() + 1.0  # a persistent connection may have a request on its way
        while rest.connections and time.monotonic() < until:
            await asyncio.sleep(0.02)
            if time.monotonic() > quiet:
                for connection in list(rest.connections):
                    connection.close_if_idle()


def _settle() -> None:
    """Return the memory that loading needed to the system.

    Loading an engine leaves freed copies of its weights with the allocator: 254 -> 174 MB for 44 MB of weights.
    """
    gc.collect()
    gc.freeze()  # later collections only look at what requests allocate
    with contextlib.suppress(AttributeError, OSError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _ignore_newcomers(server: asyncio.Server) -> None:
    """Let the kernel drop new connection attempts: closing a listening socket would reset those that wait in it.

    A packet filter on the socket passes all but SYN (the flag 2 in byte 13 of the TCP header); a dropped client
    tries again a second later and finds the port closed, which every load balancer understands.
    """
    if sys.platform != "linux":
        return
    code = [(0x30, 0, 0, 13), (0x54, 0, 0, 2), (0x15, 0, 1, 0), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    filters = struct.pack("HL", len(code), ctypes.addressof(program))
    for listening in server.sockets:
        with contextlib.suppress(OSError):
            listening.setsockopt(socket.SOL_SOCKET, 26, filters)  # SO_ATTACH_FILTER


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check(options: Options) -> None:
    for name, least in (
        ("max_body", 1024),
        ("queue", 1),
        ("max_batch", 1),
        ("max_wait_ms", 0),
        ("rate", 0),
        ("workers", 0),
        ("header_seconds", 0),
        ("body_seconds", 0),
        ("drain_seconds", 0),
    ):
        if not least <= getattr(options, name) < math.inf:  # NaN is neither
            raise TailError(f"--{name.replace('_', '-')} must be at least {least}.")
    for name in ("port", "grpc_port"):
        if not 0 <= (getattr(options, name) or 0) < 65536:
            raise TailError(f"--{name.replace('_', '-')} must lie in 0..65535; 0 picks a free one.")


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise TailError("TLS needs both --tls-cert and --tls-key.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise TailError(
            f"The certificate and key cannot be used ({error}); both must be PEM files that belong together."
        ) from None
    return context


def _warm(engine: Engine, archive: Archive, max_batch: int) -> None:
    """Run the smallest and the largest batch once, so that the first client does not wait for allocations."""
    shape = archive.signature.inputs[0].shape[1:]
    for items in {1, max_batch}:
        try:
            logits = engine.run(np.zeros((items, *shape), np.float32))
        except Exception as error:  # engines have private exception types
            raise EngineError(
                f"The model cannot run {items} x {list(shape)} ({str(error)[:200]}); pack the archive again."
            ) from None
        if logits.shape != (items, archive.signature.logits.shape[1]):
            raise EngineError(
                f"The model returns {list(logits.shape)}, but its signature says "
                f"{list(archive.signature.logits.shape)}; pack the archive again."
            )


async def _sweep(rest: Rest) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(rest.connections):
            connection.expire(now)
