"""The Open Inference Protocol over gRPC, in front of the same queues as HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

from .calls import Call, pick
from .errors import BundleMismatch, TailError, WireError
from .guard import token_fits
from .oip_messages import MESSAGES, SERVICE
from .rest import SERVER, VERSION, metadata
from .server_codec import Request, tensor_of
from .wire import CODED_NAME, V2_NAMES, check_bundle_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from .batcher import Answer
    from .guard import RateLimit
    from .metrics import Metrics
    from .registry import Registry

    Context: TypeAlias = Any  # grpc.aio.ServicerContext, which ships no types

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class Service:
    """Implements `inference.GRPCInferenceService`."""

    def __init__(self, registry: Registry, metrics: Metrics, *, token: bytes | None, rate: RateLimit) -> None:
        self._registry = registry
        self._metrics = metrics
        self._token = token
        self._rate = rate
        self.draining = False

    def handlers(self) -> grpc.GenericRpcHandler:
        """The handlers for a gRPC server to register."""
        methods = {
            "ServerLive": (self._live, "ServerLive"),
            "ServerReady": (self._ready, "ServerReady"),
            "ModelReady": (self._model_ready, "ModelReady"),
            "ServerMetadata": (self._server_metadata, "ServerMetadata"),
            "ModelMetadata": (self._model_metadata, "ModelMetadata"),
            "ModelInfer": (self._infer, "ModelInfer"),
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._guarded(method, free=name in ("ServerLive", "ServerReady")),
                    request_deserializer=MESSAGES[f"{stem}Request"].FromString,
                    response_serializer=MESSAGES[f"{stem}Response"].SerializeToString,
                )
                for name, (method, stem) in methods.items()
            },
        )

    def _guarded(
        self, method: Callable[[Any, Context], Awaitable[Any]], *, free: bool
    ) -> Callable[..., Awaitable[Any]]:
        async def run(request: Any, context: Context) -> Any:  # noqa: ANN401
            if not free:
                given = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
                if self._token is not None and not token_fits(given.get("authorization"), self._token):
                    self._metrics.refused(401)
                    await context.abort(
                        grpc.StatusCode.UNAUTHENTICATED, "This tail needs a token: authorization: Bearer ..."
                    )
                if self._rate.wait(_address(context.peer())):
                    await self._refuse(context, 429, "Too many requests from this address.")
            try:
                return await method(request, context)
            except BundleMismatch as error:
                context.set_trailing_metadata((("pripro-expected", error.expected), ("pripro-got", error.got)))
                await self._refuse(context, 409, str(error))
            except WireError as error:
                await self._refuse(context, 400, str(error))

        return run

    async def _refuse(self, context: Context, status: int, sentence: str) -> None:
        self._metrics.refused(status)
        await context.abort(_CODES[status], sentence)

    async def _live(self, _: Any, __: Context) -> Any:  # noqa: ANN401
        return MESSAGES["ServerLiveResponse"](live=True)

    async def _ready(self, _: Any, __: Context) -> Any:  # noqa: ANN401
        return MESSAGES["ServerReadyResponse"](ready=not self.draining)

    async def _model_ready(self, request: Any, _: Context) -> Any:  # noqa: ANN401
        return MESSAGES["ModelReadyResponse"](
            ready=bool(self._registry.find(request.name, request.version)) and not self.draining
        )

    async def _server_metadata(self, _: Any, __: Context) -> Any:  # noqa: ANN401
        return MESSAGES["ServerMetadataResponse"](name=SERVER, version=VERSION)

    async def _model_metadata(self, request: Any, context: Context) -> Any:  # noqa: ANN401
        tails = self._registry.find(request.name, request.version)
        if not tails:
            await self._refuse(context, 404, "This server has no such model or version.")
        told = metadata(tails[-1])
        del told["parameters"]
        return MESSAGES["ModelMetadataResponse"](**told)

    async def _infer(self, request: Any, context: Context) -> Any:  # noqa: ANN401
        tails = self._registry.find(request.model_name, request.model_version)
        if not tails:
            await self._refuse(context, 404, "This server has no such model or version.")
        parsed = parse(request)
        served = pick(tails, parsed.bundle_id)
        array, spec = tensor_of(parsed, served.signature)
        call = Call(array, spec, served.signature, parsed)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(logits: Answer) -> None:
            if not answered.done():
                answered.set_result(logits)

        started = asyncio.get_running_loop().time()
        if not served.batcher.submit(call, done):
            await self._refuse(context, 503, "The queue is full; try again.")
        logits = await answered
        if logits is None:
            return await self._refuse(context, 503, "The engine failed on this batch.")
        if isinstance(logits, WireError):
            raise logits
        call.need_finite(logits)
        self._metrics.answered(served.signature.name, call.encoding, asyncio.get_running_loop().time() - started)
        return MESSAGES["ModelInferResponse"](
            model_name=served.signature.name,
            model_version=served.signature.version,
            id=request.id,
            outputs=[{"name": "logits", "datatype": "FP32", "shape": list(logits.shape)}],
            raw_output_contents=[logits.astype("<f4", copy=False).tobytes()],
        )


def parse(request: Any) -> Request:  # noqa: ANN401
    """Parse a ModelInferRequest; nothing in it is trusted yet.

    Raises:
        WireError: it does not hold one tensor named smashed, in a form that the protocol allows.
    """
    if len(request.inputs) != 1 or request.inputs[0].name != "smashed":
        raise WireError("A request has exactly one input, named smashed.")
    if len(request.outputs) > 1 or any(output.name != "logits" for output in request.outputs):
        raise WireError("The only output is named logits.")
    if any("classification" in output.parameters for output in request.outputs):
        raise WireError("classification is not supported; request the logits.")
    tensor = request.inputs[0]
    shape = tuple(tensor.shape)
    if tensor.datatype not in (*V2_NAMES.values(), CODED_NAME):
        raise WireError(f"The datatype must be one of {', '.join(V2_NAMES.values())}, {CODED_NAME}.")
    if not (0 < len(shape) <= 8 and all(0 < size < 1 << 31 for size in shape)):
        raise WireError("The shape must be a list of positive integers.")
    raw = list(request.raw_input_contents)
    payload: bytes | list[Any]
    if len(raw) == 1 and not tensor.HasField("contents"):
        payload = raw[0]
    elif not raw and tensor.datatype == "FP32":
        payload = list(tensor.contents.fp32_contents)
    elif not raw and tensor.datatype == "UINT8":
        payload = list(tensor.contents.uint_contents)
    elif not raw and tensor.datatype == CODED_NAME:
        payload = list(tensor.contents.bytes_contents)
    else:
        raise WireError("The input needs one raw_input_contents, or the contents of its datatype.")
    bundle = request.parameters["bundle_id"].string_param if "bundle_id" in request.parameters else None
    return Request(
        bundle_id=None if bundle is None else check_bundle_id(bundle),
        id=None,
        datatype=tensor.datatype,
        shape=shape,
        payload=payload,
        binary=True,
        table_id=tensor.parameters["table_id"].string_param if "table_id" in tensor.parameters else None,
    )


def _address(peer: str) -> str:
    """The client without its port: `ipv4:127.0.0.1:5` and `ipv4:127.0.0.1:6` are the same client."""
    return peer.rpartition(":")[0]


async def start(
    service: Service, address: str, *, max_body: int, tls: tuple[bytes, bytes] | None
) -> tuple[grpc.aio.Server, int]:
    """Listen at `address` (port 0 picks a free one).

    Returns:
        The running server and its port.

    Raises:
        TailError: the address cannot be used.
    """
    overhead = 16 * 1024
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_body + overhead),
            ("grpc.max_metadata_size", overhead),
            ("grpc.so_reuseport", 0),
            ("grpc.max_connection_idle_ms", 300_000),
        ],
        maximum_concurrent_rpcs=256,
    )
    server.add_generic_rpc_handlers((service.handlers(),))
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
    except RuntimeError:
        raise TailError(f"{address} cannot be used for gRPC; choose another port with --grpc-port.") from None
    await server.start()
    return server, port
