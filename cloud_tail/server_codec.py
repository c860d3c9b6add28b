"""The server's codec: requests parsed and checked against the signature, responses written.

A request is untrusted: its lengths, shape and dtype are compared with the signature before a value is read.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import BundleMismatch, WireError
from .messages import Messages, datatypes, messages_of
from .wire import (
    CODED_NAME,
    DTYPES,
    HEADER_LENGTH,
    V2_NAMES,
    canonical,
    check_bundle_id,
    json_object,
    need_finite,
    parameters_of,
)

if TYPE_CHECKING:
    from .signature import Signature, TensorSpec
    from .wire import Array, Buffer, Floats

_NUMPY_NAMES = {short: name for name, short in V2_NAMES.items()}
_MAX_JSON_HEADER = 64 * 1024
_REMEMBERED = 1024


class Request(NamedTuple):
    """A parsed inference request whose tensor is not yet checked against a signature.

    Attributes:
        bundle_id: the sender's bundle, or None from a standard client.
        id: the sender's own name for this request, returned with the answer.
        datatype, shape: as the sender states them, e.g. UINT8 and (1, 128, 28, 28).
        payload: the tensor's bytes, or the JSON list in their place; gRPC's list of messages.
        table_id: the tables of entropy-coded features, as the sender states them.
        binary: whether the sender wants the answer as bytes rather than as JSON numbers.
    """

    bundle_id: str | None
    id: str | None
    datatype: str
    shape: tuple[int, ...]
    payload: Buffer | list[Any]
    binary: bool
    table_id: object = None


def parse_request(body: Buffer, header_length: int | None) -> Request:
    """Parse a request; nothing in it is trusted yet.

    Args:
        body: the whole HTTP body.
        header_length: the value of `Inference-Header-Content-Length`; None: the whole body is JSON.

    Raises:
        WireError: the body is not a request of this protocol.
    """
    view = memoryview(body)
    if header_length is None:
        return request_of(json_object(view), None)
    if not 0 < header_length <= min(len(view), _MAX_JSON_HEADER):
        raise WireError(f"{HEADER_LENGTH} is {header_length}, which does not fit a body of {len(view)} bytes.")
    text, rest = bytes(view[:header_length]), view[header_length:]
    read = _remembered if header_length <= _REMEMBERED else _read
    request = read(text, len(rest))
    return request if isinstance(request.payload, list) else request._replace(payload=rest)


def _read(text: bytes, behind: int) -> Request:
    return request_of(json_object(text), behind)


#: a phone sends the same JSON with every photo, and equal bytes have equal meaning; nothing in it is secret
_remembered = lru_cache(maxsize=64)(_read)


def request_of(raw: dict[str, Any], behind: int | None) -> Request:
    """Read a request from its JSON object and the number of bytes that follow it (None: no binary body).

    Returns:
        The request; its payload is the JSON list, or empty if the tensor is in the bytes that follow.

    Raises:
        WireError: the body is not a request of this protocol.
    """
    inputs = raw.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise WireError("A request has exactly one input, named smashed.")
    tensor = inputs[0]
    if tensor.get("name") != "smashed":
        raise WireError("The input must be named smashed.")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not isinstance(datatype, str) or (datatype not in DTYPES and datatype != CODED_NAME):
        raise WireError(f"The datatype must be one of {', '.join(DTYPES)}, {CODED_NAME}.")
    if not (
        isinstance(shape, list)
        and 0 < len(shape) <= 8
        and all(type(size) is int and 0 < size < 1 << 31 for size in shape)
    ):
        raise WireError("The shape must be a list of positive integers.")
    bundle_id = parameters_of(raw).get("bundle_id")
    return Request(
        bundle_id=None if bundle_id is None else check_bundle_id(bundle_id),
        id=_request_id(raw.get("id")),
        datatype=datatype,
        shape=tuple(shape),
        payload=_payload(tensor, behind),
        binary=_wants_binary(raw),
        table_id=parameters_of(tensor).get("table_id"),
    )


def _request_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not (isinstance(value, str) and len(value) <= 256):
        raise WireError("An id must be a string of at most 256 characters.")
    return value


def _payload(tensor: dict[str, Any], behind: int | None) -> bytes | list[Any]:
    size = parameters_of(tensor).get("binary_data_size")
    if size is None:
        data = tensor.get("data")
        if not isinstance(data, list):
            raise WireError("The input needs data, or binary_data_size and the tensor's bytes after the JSON header.")
        if behind:
            raise WireError("Bytes follow the JSON header although the input has data.")
        return data
    if type(size) is not int or behind is None or size != behind or "data" in tensor:
        raise WireError(
            f"binary_data_size does not match the {behind or 0} bytes after the JSON header, or data is given as well."
        )
    return b""


def _wants_binary(raw: dict[str, Any]) -> bool:
    default = _flag(parameters_of(raw), "binary_data_output", otherwise=False)
    outputs = raw.get("outputs")
    if outputs is None:
        return default
    if not (isinstance(outputs, list) and len(outputs) <= 1 and all(isinstance(item, dict) for item in outputs)):
        raise WireError("At most one output can be requested: logits.")
    for item in outputs:
        if item.get("name") != "logits":
            raise WireError("The only output is named logits.")
        asked = parameters_of(item)
        if "classification" in asked:
            raise WireError("classification is not supported; request the logits, or POST to /predictions.")
        return _flag(asked, "binary_data", otherwise=default)
    return default


def _flag(parameters: dict[str, Any], key: str, *, otherwise: bool) -> bool:
    value = parameters.get(key, otherwise)
    if not isinstance(value, bool):
        raise WireError(f"{key} must be true or false.")
    return value


def tensor_of(request: Request, signature: Signature) -> tuple[Array | Messages, TensorSpec]:
    """Check a request against the signature and return its tensor, a view of the bytes if it came as bytes.

    Returns:
        The array in its own encoding, [n,C,h,w], or messages that are still to be decoded; and that encoding.

    Raises:
        WireError: dtype, shape or size differ from the signature's, or a value is not finite.
        BundleMismatch: the sender's bundle is not this signature's.
    """
    if request.bundle_id is not None and request.bundle_id != signature.bundle_id:
        raise BundleMismatch(signature.bundle_id, request.bundle_id)
    if request.datatype == CODED_NAME and signature.coding is not None:
        return messages_of(request.payload, request.shape, request.table_id, signature)
    spec = signature.encoding(_NUMPY_NAMES.get(request.datatype, CODED_NAME))
    if spec is None:
        offered = ", ".join(datatypes(signature))
        raise WireError(f"This tail takes {offered}, not {request.datatype}.")
    if len(request.shape) != len(spec.shape) or request.shape[1:] != spec.shape[1:]:
        raise WireError(f"The shape is {list(request.shape)}, this tail takes {list(spec.shape)}.")
    if isinstance(request.payload, list):
        return _from_numbers(request.payload, request.shape, spec), spec
    return from_bytes(request.payload, request.shape[0], spec), spec


def from_bytes(payload: Buffer, items: int, spec: TensorSpec) -> Array:
    """View raw bytes as a tensor of `items` in the encoding `spec`.

    Raises:
        WireError: the length is wrong, or a value is not finite.
    """
    if len(payload) != items * spec.item_bytes:
        raise WireError(
            f"{items} x {list(spec.shape[1:])} values of {spec.dtype} take {items * spec.item_bytes} bytes; "
            f"this tensor has {len(payload)}."
        )
    array = np.frombuffer(payload, DTYPES[V2_NAMES[spec.dtype]]).reshape(items, *spec.shape[1:])
    if spec.dtype != "uint8":
        need_finite(array)
    return array


def _from_numbers(data: list[Any], shape: tuple[int, ...], spec: TensorSpec) -> Array:
    flat = data
    for depth in range(len(shape) - 1):  # flat, or nested exactly like the shape
        if not flat or not isinstance(flat[0], list):
            break
        if not all(isinstance(row, list) and len(row) == shape[depth + 1] for row in flat):
            raise WireError("data is nested differently from its shape.")
        flat = [value for row in flat for value in row]
    if len(flat) != shape[0] * spec.values:
        raise WireError(f"data has {len(flat)} values, but its shape needs {shape[0] * spec.values}.")
    if not all(type(value) is int or type(value) is float for value in flat):
        raise WireError("data must contain numbers only.")
    if spec.dtype == "uint8":
        if not all(type(value) is int and 0 <= value <= 255 for value in flat):
            raise WireError("UINT8 data must lie in 0..255.")
        return np.array(flat, np.uint8).reshape(shape)
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, np.float64).astype(np.float32).reshape(shape)
    except OverflowError:
        raise WireError("data contains a number outside float32's range.") from None
    with np.errstate(over="ignore"):
        array = array.astype(DTYPES[V2_NAMES[spec.dtype]], copy=False)
    need_finite(array)
    return array


def encode_response(logits: Floats, signature: Signature, request: Request) -> tuple[dict[str, str], bytes]:
    """Write one answer, as bytes or as JSON numbers, as the request asked for.

    Returns:
        HTTP headers and the body.
    """
    if request.binary:
        payload = logits.astype("<f4", copy=False).tobytes()
        text = _binary_header(signature.name, signature.version, request.id, logits.shape)
        return {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(text))}, text + payload
    answer = {"data": logits.ravel().tolist()}
    text = canonical(_header(signature.name, signature.version, request.id, logits.shape, answer))
    return {"Content-Type": "application/json"}, text


def _header(
    name: str, version: str, identity: str | None, shape: tuple[int, ...], more: dict[str, Any]
) -> dict[str, Any]:
    header: dict[str, Any] = {"model_name": name, "model_version": version}
    if identity is not None:
        header["id"] = identity
    header["outputs"] = [{"name": "logits", "datatype": "FP32", "shape": list(shape), **more}]
    return header


@lru_cache(maxsize=64)
def _binary_header(name: str, version: str, identity: str | None, shape: tuple[int, ...]) -> bytes:
    size = 4 * prod(shape)
    return canonical(_header(name, version, identity, shape, {"parameters": {"binary_data_size": size}}))
