"""One inference call, the same for every server: from headers and a body to an array, and back to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from .errors import BundleMismatch, WireError
from .messages import Messages, messages_of
from .server_codec import (
    Request,
    encode_response,
    from_bytes,
    parse_request,
    request_of,
    tensor_of,
)
from .signature import CODED
from .wire import (
    BUNDLE_HEADER,
    HEADER_LENGTH,
    TABLE_HEADER,
    all_finite,
    canonical,
    check_bundle_id,
    dequantise,
    parse_length,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .signature import Signature, TensorSpec
    from .wire import Array, Buffer, Floats

    class _Tail(Protocol):
        @property
        def signature(self) -> Signature: ...


T = TypeVar("T", bound="_Tail")
_LENGTH, _BUNDLE, _TABLE = HEADER_LENGTH.lower(), BUNDLE_HEADER.lower(), TABLE_HEADER.lower()


class Call(NamedTuple):
    """A checked call.

    Attributes:
        array: the features in their own encoding, [n,C,h,w], or messages that are still to be decoded.
        spec: that encoding; for messages, that of their codes.
        signature: the tail that answers.
        request: the v2 request, or None if the body was the raw tensor.
    """

    array: Array | Messages
    spec: TensorSpec
    signature: Signature
    request: Request | None

    def features(self) -> Floats:
        """The features as float32 in C order, aligned (in a body the tensor starts where its JSON header ends).

        Raises:
            WireError: they are entropy-coded and one of the messages is not valid.
        """
        array = self.array.decode() if isinstance(self.array, Messages) else self.array
        if self.spec.dtype == "uint8":
            return dequantise(array, self.spec)
        return np.require(array, np.float32, ["C", "A"])

    @property
    def encoding(self) -> str:
        """The encoding's name, as in `Signature.encodings`."""
        return CODED if isinstance(self.array, Messages) else self.spec.dtype

    def answer(self, logits: Floats) -> tuple[dict[str, str], bytes]:
        """Write logits [n,K] in the form that the caller asked for.

        Raises:
            WireError: the logits are not finite.
        """
        self.need_finite(logits)
        if self.request is not None:
            return encode_response(logits, self.signature, self.request)
        return {"Content-Type": "application/json"}, canonical(describe(logits[0], self.signature))

    def need_finite(self, logits: Floats) -> None:
        """Refuse logits that are not finite.

        Raises:
            WireError: the logits are not finite.
        """
        if not all_finite(logits):
            raise WireError("The tail's logits are not finite for these features; check the head's output.")


def describe(logits: Floats, signature: Signature) -> dict[str, Any]:
    """Describe one item's logits [K]: top class, its label, probabilities."""
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities = shifted / shifted.sum()
    top = int(logits.argmax())
    return {
        "label": signature.labels[top] if signature.labels else None,
        "index": top,
        "logits": logits.tolist(),
        "probabilities": probabilities.round(6).tolist(),
    }


def pick(tails: Sequence[T], bundle_id: str | None) -> T:
    """Choose among the tails of one name: the sender's bundle, or the newest (last) if the sender names none.

    Raises:
        BundleMismatch: no tail of that bundle is loaded.
    """
    if bundle_id is None:
        return tails[-1]
    for tail in tails:
        if tail.signature.bundle_id == bundle_id:
            return tail
    raise BundleMismatch(tails[-1].signature.bundle_id, bundle_id)


def bundle_of(headers: Mapping[str, str]) -> str | None:
    """Read `Pripro-Bundle-Id` from headers in lower case.

    Raises:
        WireError: the header is not a bundle id.
    """
    claimed = headers.get(_BUNDLE)
    return None if claimed is None else check_bundle_id(claimed)


def read_call(
    headers: Mapping[str, str], body: Buffer | dict[str, Any], tails: Sequence[T], *, raw: bool
) -> tuple[Call, T]:
    """Check one call.

    Args:
        headers: HTTP headers, names in lower case.
        body: the HTTP body, or its JSON object if the server has parsed it already.
        tails: the loaded tails of the name in the URL.
        raw: whether a body may consist of the tensor's bytes alone (true for /predictions, never for v2).

    Returns:
        The call, and the tail that answers it.

    Raises:
        WireError: a malformed request; BundleMismatch among them.
    """
    claimed = bundle_of(headers)
    length = parse_length(headers.get(_LENGTH))
    if raw and length is None and not isinstance(body, dict) and "json" not in headers.get("content-type", ""):
        tail = pick(tails, claimed)
        return _raw_call(body, headers.get(_TABLE), tail.signature), tail
    request = request_of(body, None) if isinstance(body, dict) else parse_request(body, length)
    if None not in (claimed, request.bundle_id) and claimed != request.bundle_id:
        raise WireError(f"{BUNDLE_HEADER} and parameters.bundle_id name different bundles.")
    tail = pick(tails, request.bundle_id or claimed)
    array, spec = tensor_of(request, tail.signature)
    return Call(array, spec, tail.signature, request), tail


def _raw_call(body: Buffer, table_id: str | None, signature: Signature) -> Call:
    if table_id is not None:
        messages, codes = messages_of([bytes(body)], (1,), table_id, signature)
        return Call(messages, codes, signature, None)
    for spec in signature.inputs:
        if len(body) == spec.item_bytes:
            return Call(from_bytes(body, 1, spec), spec, signature, None)
    sizes = ", ".join(f"{spec.item_bytes} bytes of {spec.dtype}" for spec in signature.inputs)
    raise WireError(f"A raw body holds one item: {sizes}; this one has {len(body)} bytes.")


def refusal(error: WireError) -> tuple[int, bytes]:
    """Turn an error into an HTTP status and its JSON body."""
    if isinstance(error, BundleMismatch):
        return 409, canonical({"error": str(error), "expected": error.expected, "got": error.got})
    return 400, canonical({"error": str(error)})


def infer_target(path: tuple[str, ...]) -> tuple[str, str] | None:
    """The model's name and version (empty: any) if the path is an inference path, else None."""
    match path:
        case ("predictions", name) | ("v2", "models", name, "infer"):
            return name, ""
        case ("predictions", name, version) | ("v2", "models", name, "versions", version, "infer"):
            return name, version
    return None
