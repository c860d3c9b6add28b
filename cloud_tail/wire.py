"""The wire: Open Inference Protocol v2 with the binary tensor extension, both directions.

A binary body is a JSON header, directly followed by the tensor's bytes (little endian, C order).
The HTTP header `Inference-Header-Content-Length` says where the JSON ends. A request:

    {"parameters":{"bundle_id":"<64 hex>"},"inputs":[{"name":"smashed","datatype":"UINT8","shape":[1,128,28,28],
    "parameters":{"binary_data_size":100352}}],"outputs":[{"name":"logits","parameters":{"binary_data":true}}]}

in this order of keys and without any space (the line break above is only for reading): phones build it by
hand, and tests/contract/wire has the bytes that each of them must produce.

Version 2 of the wire adds entropy-coded features: the datatype is BYTES, the shape [n] and the parameters name the
tables; each of the n messages (see `coder.py`) comes behind its length as a 32-bit little-endian integer, which is
the protocol's own form of BYTES. UINT8 would have been ambiguous, it stands for the affine codes in the tensor's
shape; and BYTES lets standard clients send messages of different lengths in one batch.

Nothing that arrives is trusted: lengths, shapes and dtypes are checked before a value is read.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import WireError
from .signature import BUNDLE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .signature import Signature, TensorSpec

    Floats = NDArray[np.float32]
    Array = NDArray[Any]
    Buffer = bytes | bytearray | memoryview

HEADER_LENGTH = "Inference-Header-Content-Length"
BUNDLE_HEADER = "Pripro-Bundle-Id"
TABLE_HEADER = "Pripro-Table-Id"
CODED_NAME = "BYTES"

V2_NAMES = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8"}
DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "FP16": np.dtype("<f2"), "UINT8": np.dtype("u1")}

_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_HALF_EXPONENT = np.uint16(0x7C00)


def quantise(values: Floats, spec: TensorSpec) -> NDArray[np.uint8]:
    """Turn features [n,C,h,w] into affine codes: round half to even of x / scale, plus zero point, clipped to 0..255.

    All arithmetic is float32, so that every phone gets the same codes.
    """
    scale, zero = _affine(spec)
    with np.errstate(over="ignore"):  # what overflows is clipped to the last code anyway
        codes: Floats = np.rint(values / scale)
    codes += zero
    np.clip(codes, 0, 255, out=codes)
    result: NDArray[np.uint8] = codes.astype(np.uint8)
    return result


def dequantise(codes: NDArray[np.uint8], spec: TensorSpec) -> Floats:
    """Turn affine codes [n,C,h,w] into features: (code - zero point) * scale, in float32."""
    scale, zero = _affine(spec)
    result = codes.astype(np.float32)  # then in place: 30 % faster than a subtraction that converts as it goes
    result -= zero
    result *= scale
    return result


def _affine(spec: TensorSpec) -> tuple[Floats, Floats]:
    if spec.layout in ("NCHW", "NC"):
        per_channel = (1, -1) + (1,) * (len(spec.shape) - 2)
    else:
        per_channel = (1,) * (len(spec.shape) - 1) + (-1,)
    scale = np.asarray(spec.scale, np.float32).reshape(per_channel)
    return scale, np.asarray(spec.zero_point, np.float32).reshape(per_channel)


def encode_request(smashed: Array, spec: TensorSpec, bundle_id: str | None) -> tuple[dict[str, str], bytes]:
    """Write one request.

    Args:
        smashed: float32 [n,C,h,w], converted to `spec`'s encoding here; or the head's own uint8 codes.
        spec: the encoding to send.
        bundle_id: the head's bundle, or None to let any tail answer.

    Returns:
        HTTP headers and the body.

    Raises:
        WireError: the shape is not `spec`'s, or a value is not finite in this encoding.
    """
    _need_shape(smashed, spec)
    if spec.dtype == "uint8":
        if smashed.dtype != np.uint8:
            need_finite(smashed)
            smashed = quantise(smashed.astype(np.float32, copy=False), spec)
    else:
        with np.errstate(over="ignore"):
            smashed = smashed.astype(DTYPES[V2_NAMES[spec.dtype]], copy=False)
        need_finite(smashed)
    payload = np.ascontiguousarray(smashed).tobytes()
    return _request(spec.name, V2_NAMES[spec.dtype], smashed.shape, {}, payload, bundle_id)


def encode_coded_request(smashed: Array, signature: Signature, bundle_id: str | None) -> tuple[dict[str, str], bytes]:
    """Write one request with entropy-coded features.

    Args:
        smashed: float32 [n,C,h,w], quantised here; or the head's own uint8 codes.
        signature: of the tail, with its coding.
        bundle_id: the head's bundle, or None to let any tail answer.

    Returns:
        HTTP headers and the body.

    Raises:
        WireError: the tail does not accept coded features, or the features do not fit its coding.
    """
    coder, spec = signature.coder, signature.codes
    if coder is None or spec is None:
        raise WireError(f"This tail accepts {', '.join(signature.encodings)}, not entropy-coded features.")
    _need_shape(smashed, spec)
    if smashed.dtype != np.uint8:
        need_finite(smashed)
        smashed = coder.clip(quantise(smashed.astype(np.float32, copy=False), spec))
    messages = [coder.encode(codes) for codes in smashed]
    payload = b"".join(len(message).to_bytes(4, "little") + message for message in messages)
    table = {"table_id": coder.coding.table_id}
    return _request(spec.name, CODED_NAME, (len(messages),), table, payload, bundle_id)


def _need_shape(smashed: Array, spec: TensorSpec) -> None:
    if smashed.ndim != len(spec.shape) or smashed.shape[0] < 1 or smashed.shape[1:] != spec.shape[1:]:
        raise WireError(f"The features have the shape {list(smashed.shape)}; this tail takes {list(spec.shape)}.")


def _request(
    name: str,
    datatype: str,
    shape: tuple[int, ...],
    parameters: dict[str, str],
    payload: bytes,
    bundle_id: str | None,
) -> tuple[dict[str, str], bytes]:
    header: dict[str, Any] = {} if bundle_id is None else {"parameters": {"bundle_id": bundle_id}}
    header["inputs"] = [
        {
            "name": name,
            "datatype": datatype,
            "shape": list(shape),
            "parameters": {**parameters, "binary_data_size": len(payload)},
        }
    ]
    header["outputs"] = [{"name": "logits", "parameters": {"binary_data": True}}]
    text = canonical(header)
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    if bundle_id is not None:
        headers[BUNDLE_HEADER] = bundle_id
    return headers, text + payload


def canonical(value: Any) -> bytes:  # noqa: ANN401
    """Write JSON without spaces, keys in the order given, ASCII only."""
    return _JSON.encode(value).encode()


def check_bundle_id(value: object) -> str:
    """Accept 64 lower-case hex digits.

    Raises:
        WireError: anything else.
    """
    if not (isinstance(value, str) and BUNDLE_ID.fullmatch(value)):
        raise WireError("A bundle_id must be 64 lower-case hex digits.")
    return value


def parse_length(text: str | None) -> int | None:
    """Read a decimal length as HTTP writes it, digits only; None stays None.

    Raises:
        WireError: anything else.
    """
    if text is None:
        return None
    if not (0 < len(text) <= 10 and text.isascii() and text.isdigit()):
        raise WireError(f"{HEADER_LENGTH} must be a number of bytes.")
    return int(text)


def json_object(text: Buffer) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        WireError: it is not UTF-8, not JSON, or not an object.
    """
    try:
        raw = json.loads(str(text, "utf-8"))
    except (ValueError, RecursionError):
        raise WireError("The JSON header is not valid JSON.") from None
    if not isinstance(raw, dict):
        raise WireError("The JSON header must be an object.")
    return raw


def parameters_of(of: dict[str, Any]) -> dict[str, Any]:
    """Return the member `parameters`, empty if there is none.

    Raises:
        WireError: it is not an object.
    """
    found = of.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise WireError("parameters must be an object.")
    return found


def all_finite(array: Array) -> bool:
    """Whether a non-empty array has neither NaN nor infinity; takes no temporary array."""
    if array.dtype == np.float16:  # numpy's half precision is slow; an exponent of all ones means not finite
        return bool((array.view(np.uint16) & _HALF_EXPONENT).max() != _HALF_EXPONENT)
    return isfinite(array.max()) and isfinite(array.min())  # NaN is both


def need_finite(array: Array) -> None:
    """Refuse NaN and infinity.

    Raises:
        WireError: the array has one.
    """
    if not all_finite(array):
        raise WireError("The features contain NaN, infinity or a value outside this encoding's range.")


def decode_response(headers: Mapping[str, str], body: bytes) -> Floats:
    """Read a binary response.

    Returns:
        Logits [n,K].

    Raises:
        WireError: it is not a response of this protocol, or a logit is not finite.
    """
    length = next((value for name, value in headers.items() if name.lower() == HEADER_LENGTH.lower()), None)
    split = parse_length(length)
    if split is None or not 0 < split <= len(body):
        raise WireError(f"The tail's response has no valid {HEADER_LENGTH} for its {len(body)} bytes.")
    raw, payload = json_object(body[:split]), body[split:]
    outputs = raw.get("outputs")
    if not (isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], dict)):
        raise WireError("The tail's response does not have exactly one output.")
    output = outputs[0]
    shape = output.get("shape")
    if output.get("name") != "logits" or output.get("datatype") != "FP32":
        raise WireError("The tail's response is not logits in FP32.")
    if not (
        isinstance(shape, list) and len(shape) == 2 and all(type(size) is int and 0 < size < 1 << 31 for size in shape)
    ):
        raise WireError("The tail's response has no shape [n, K].")
    if parameters_of(output).get("binary_data_size") != len(payload) or len(payload) != 4 * shape[0] * shape[1]:
        raise WireError("The tail's response has a size that does not match its shape.")
    logits = np.frombuffer(payload, "<f4").reshape(shape).astype(np.float32)
    if not np.isfinite(logits).all():
        raise WireError("The tail's response contains NaN or infinity.")
    return logits
