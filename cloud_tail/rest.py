"""The HTTP interface: TorchServe's paths, the Open Inference Protocol v2, metrics. Routes only; no sockets here."""

from __future__ import annotations

import math
import time
import zlib
from typing import TYPE_CHECKING, Any

from .calls import bundle_of, infer_target, pick, read_call, refusal
from .errors import WireError
from .guard import token_fits
from .http_parts import Connection, Limits, Reply
from .log import log
from .messages import datatypes
from .openapi import document
from .wire import V2_NAMES, canonical

if TYPE_CHECKING:
    from .batcher import Answer
    from .calls import Call
    from .guard import RateLimit
    from .http_headers import RequestHeaders
    from .metrics import Metrics
    from .registry import Registry, Served

SERVER, VERSION = "pripro-tail", "0.1.0"
_WORTH_COMPRESSING = 1024
_OPEN = frozenset({("ping",), ("v2", "health", "live"), ("v2", "health", "ready")})


def _json(status: int, value: Any, **headers: str) -> Reply:  # noqa: ANN401
    return Reply(status, canonical(value), {name.replace("_", "-"): text for name, text in headers.items()})


def _error(status: int, sentence: str, **headers: str) -> Reply:
    return _json(status, {"error": sentence}, **headers)


class Rest:
    """Answers whole HTTP requests; implements `http_parts.Application`."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        limits: Limits,
        *,
        token: bytes | None,
        rate: RateLimit,
        access_log: bool = False,
    ) -> None:
        self.limits = limits
        self.draining = False
        self.connections: set[Connection] = set()
        self._registry = registry
        self._metrics = metrics
        self._token = token
        self._rate = rate
        self._access_log = access_log

    def sent(self, connection: Connection, status: int) -> None:
        """Count a refusal, and log the request if access logging is on: never its query, headers or body."""
        if status >= 400:
            self._metrics.refused(status)
        if self._access_log:
            headers, ms = connection.headers, round(1e3 * (time.perf_counter() - connection.started), 3)
            log("request", peer=connection.peer, method=headers.method, path=headers.target[:200], status=status, ms=ms)

    # before the body

    def admit(self, headers: RequestHeaders, peer: str) -> Reply | None:
        """Refuse by the headers alone: token, rate, route, queue, bundle."""
        path = headers.path
        if (
            self._token is not None
            and path not in _OPEN
            and not token_fits(headers.fields.get("authorization"), self._token)
        ):
            reply = _error(401, "This tail needs a token: Authorization: Bearer ...", WWW_Authenticate="Bearer")
            return Reply(reply.status, reply.body, reply.headers, close=True)
        if path in _OPEN:
            return None
        wait = self._rate.wait(peer)
        if wait:
            return _error(429, "Too many requests from this address.", Retry_After=str(math.ceil(wait)))
        target = infer_target(path)
        if target is None:
            return None
        tails = self._registry.find(*target)
        if not tails:
            return _error(404, "This server has no such model or version.")
        if headers.method != "POST":
            return _error(405, "Inference needs POST.", Allow="POST")
        try:
            served = pick(tails, bundle_of(headers.fields))
        except WireError as error:
            return Reply(*refusal(error))
        return None if served.batcher.has_room() else self._busy()

    def _busy(self) -> Reply:
        return _error(503, "The queue is full; try again.", Retry_After="1")

    # with the body

    def tensor_at(self, headers: RequestHeaders) -> int:
        """Where the JSON header is said to end; checked later, here it only decides where in memory the body goes."""
        claimed = headers.fields.get("inference-header-content-length", "")
        return int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 10 else 0

    def handle(self, headers: RequestHeaders, body: memoryview, connection: Connection) -> Reply | None:
        """Answer a whole request, or put it into its tail's queue."""
        arrived = time.perf_counter()
        target = infer_target(headers.path)
        if target is None:
            return self._read(headers)
        try:
            plain = _inflate(body, headers.fields.get("content-encoding", "identity"), self.limits.body_bytes)
            raw = headers.path[0] == "predictions"
            call, served = read_call(headers.fields, plain, self._registry.find(*target), raw=raw)
        except WireError as error:
            status, text = refusal(error)
            return Reply(status, text)
        except _TooLarge:
            return _error(413, f"The body inflates to more than {self.limits.body_bytes} bytes.")

        def done(logits: Answer) -> None:
            connection.reply(self._answer(connection, call, served, logits, arrived))

        if not served.batcher.submit(call, done):
            return self._busy()
        return None

    def _answer(self, connection: Connection, call: Call, served: Served, logits: Answer, arrived: float) -> Reply:
        if logits is None:
            return _error(503, "The engine failed on this batch.", Retry_After="1")
        if isinstance(logits, WireError):
            return Reply(*refusal(logits))
        try:
            headers, body = call.answer(logits)
        except WireError as error:
            return Reply(*refusal(error))
        now = time.perf_counter()
        self._metrics.answered(served.signature.name, call.encoding, now - connection.started)
        # from the complete request to the answer, so that a phone can separate network time from server time
        headers["Server-Timing"] = f"tail;dur={(now - arrived) * 1e3:.3f}"
        return _deflate(Reply(200, body, headers), connection.headers.fields.get("accept-encoding"))

    # everything but inference

    def _read(self, headers: RequestHeaders) -> Reply:
        path = headers.path
        reply = self._lookup(path)
        if reply is None:
            return _error(404, "Nothing is served at this path; /openapi.json lists the paths.")
        listing = path == ("v2", "repository", "index") and headers.method == "POST"
        if headers.method not in ("GET", "HEAD") and not listing:
            return _error(405, "This path needs GET.", Allow="GET, HEAD")
        return _deflate(reply, headers.fields.get("accept-encoding"))

    def _lookup(self, path: tuple[str, ...]) -> Reply | None:
        match path:
            case ("ping",):
                return _json(200, {"status": "Healthy"}) if not self.draining else _json(503, {"status": "Draining"})
            case ("metrics",):
                return Reply(200, self._metrics.page(), {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
            case ("openapi.json",):
                signatures = [served.signature for served in self._registry]
                return _json(200, document(signatures, VERSION, token=self._token is not None))
            case ("signatures",):
                return _json(200, [served.signature.to_dict() for served in self._registry])
            case ("signatures", name):
                return (
                    _json(200, [served.signature.to_dict() for served in self._registry.find(name)])
                    if self._registry.find(name)
                    else None
                )
            case ("models",):
                names = self._registry.names()
                return _json(200, {"models": [{"modelName": name, "modelUrl": f"{name}.mar"} for name in names]})
            case ("models", name):
                return (
                    _json(200, [_management(served) for served in self._registry.find(name)])
                    if self._registry.find(name)
                    else None
                )
            case ("v2",):
                return _json(200, {"name": SERVER, "version": VERSION, "extensions": ["binary_tensor_data"]})
            case ("v2", "health", "live"):
                return _json(200, {"live": True})
            case ("v2", "health", "ready"):
                return _json(503 if self.draining else 200, {"ready": not self.draining})
            case ("v2", "repository", "index"):
                return _json(200, [_index(served) for served in self._registry])
            case ("v2", "models", *rest):
                return self._model(rest)
        return None

    def _model(self, rest: list[str]) -> Reply | None:
        if rest == ["stats"]:
            return _json(200, {"model_stats": [self._stats(served) for served in self._registry]})
        match rest:
            case [name, "versions", version, *what]:
                tails = self._registry.find(name, version)
            case [name, *what]:
                tails = self._registry.find(name)
            case _:
                return None
        if not tails:
            return _error(404, "This server has no such model or version.")
        match what:
            case []:
                return _json(200, metadata(tails[-1]))
            case ["ready"]:
                return _json(
                    503 if self.draining else 200, {"name": tails[-1].signature.name, "ready": not self.draining}
                )
            case ["config"]:
                return _json(200, config(tails[-1]))
            case ["stats"]:
                return _json(200, {"model_stats": [self._stats(served) for served in tails]})
        return None

    def _stats(self, served: Served) -> dict[str, Any]:
        count, runs = self._metrics.counts(served.signature.name)
        return {
            "name": served.signature.name,
            "version": served.signature.version,
            "inference_count": count,
            "execution_count": runs,
        }


def metadata(served: Served) -> dict[str, Any]:
    """A model's v2 metadata; parameters lists the further encodings of `smashed`."""
    signature = served.signature
    first, logits = signature.inputs[0], signature.logits
    return {
        "name": signature.name,
        "versions": [signature.version],
        "platform": f"{served.engine}_{served.precision}",
        "inputs": [{"name": first.name, "datatype": V2_NAMES[first.dtype], "shape": list(first.shape)}],
        "outputs": [{"name": logits.name, "datatype": V2_NAMES[logits.dtype], "shape": list(logits.shape)}],
        "parameters": {
            "bundle_id": signature.bundle_id,
            "encodings": datatypes(signature),
            "archive_sha256": served.digest,
            **({} if signature.coding is None else {"table_id": signature.coding.table_id}),
        },
    }


def config(served: Served) -> dict[str, Any]:
    """A model's configuration as Triton's clients read it."""
    signature = served.signature
    return {
        "name": signature.name,
        "platform": f"{served.engine}_{served.precision}",
        "backend": served.engine,
        "max_batch_size": 0,  # the batch is part of the shape
        "input": [{"name": "smashed", "data_type": "TYPE_FP32", "dims": list(signature.inputs[0].shape)}],
        "output": [{"name": "logits", "data_type": "TYPE_FP32", "dims": list(signature.logits.shape)}],
    }


def _index(served: Served) -> dict[str, Any]:
    return {"name": served.signature.name, "version": served.signature.version, "state": "READY", "reason": ""}


def _management(served: Served) -> dict[str, Any]:
    signature = served.signature
    return {
        "modelName": signature.name,
        "modelVersion": signature.version,
        "modelUrl": f"{signature.name}.mar",
        "runtime": served.engine,
        "loadedAtStartup": True,
        "bundleId": signature.bundle_id,
        "workers": [{"id": "0", "status": "READY"}],
    }


class _TooLarge(Exception):
    pass


def _inflate(body: memoryview, encoding: str, limit: int) -> memoryview | bytes:
    """Decompress gzip or deflate, never to more than `limit` bytes."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise WireError("Content-Encoding must be gzip, deflate or identity.")
    stream = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever its header says
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        raise WireError(f"The body is not valid {encoding}.") from None
    if len(plain) > limit:
        raise _TooLarge
    if not stream.eof or stream.unused_data:
        raise WireError(f"The {encoding} body is truncated or has trailing bytes.")
    return plain


def _deflate(reply: Reply, accepted: str | None) -> Reply:
    if accepted is None or len(reply.body) < _WORTH_COMPRESSING:
        return reply
    names = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    chosen = "gzip" if "gzip" in names else "deflate" if "deflate" in names else None
    if chosen is None:
        return reply
    packer = zlib.compressobj(1, wbits=31 if chosen == "gzip" else 15)
    body = packer.compress(reply.body) + packer.flush()
    return Reply(reply.status, body, {**reply.headers, "Content-Encoding": chosen}, reply.close)
