"""A small blocking client for the tail; it needs only the standard library and numpy."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from .errors import BundleMismatch, TailError, WireError
from .signature import CODED, Signature, TensorSpec
from .wire import decode_response, encode_coded_request, encode_request

if TYPE_CHECKING:
    from .wire import Array, Floats


class TailClient:
    """Talks to one tail over one persistent connection.

    Args:
        url: the server, e.g. http://127.0.0.1:8080, or a model's own /v2/models/NAME URL.
        token: sent as `Authorization: Bearer`.
        model: the model's name; None takes the only one that the server lists.
        bundle_id: sent with every request; None lets any bundle answer.
        signature: what the tail takes and gives; None asks the server for it before the first request.
        timeout: seconds to wait for the connection, and for each read and write.
        context: TLS settings, e.g. for a private certificate authority.

    Raises:
        TailError: the server cannot be reached, refuses, or sends no valid answer; status 409 raises BundleMismatch.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        model: str | None = None,
        bundle_id: str | None = None,
        signature: Signature | None = None,
        timeout: float = 30.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise TailError(f"{url!r} is not a tail's URL; expected one like http://127.0.0.1:8080.")
        self._where = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme == "https":
            secure = context or ssl.create_default_context()
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port or 443, timeout=timeout, context=secure
            )
        else:
            self._http = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._signature = signature
        path = parts.path.strip("/").split("/")
        named = path[-1] if len(path) >= 2 and path[-2] in ("models", "predictions") else None
        self._model = model or named or (signature.name if signature else None)
        self._bundle_id = bundle_id or (signature.bundle_id if signature else None)

    def __enter__(self) -> TailClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def signature(self) -> Signature:
        """Return the tail's signature; asks the server the first time."""
        if self._signature is None:
            path = "/signatures" if self._model is None else f"/signatures/{quote(self._model, safe='')}"
            listed = json.loads(self._get(path))
            if len({item["name"] for item in listed}) != 1:
                names = ", ".join(sorted({item["name"] for item in listed}))
                raise TailError(f"{self._where} serves {names}; choose one of them as the model.")
            chosen = next((item for item in listed if item["bundle_id"] == self._bundle_id), listed[-1])
            self._signature = Signature.from_json(json.dumps(chosen))
            self._model = self._signature.name
        return self._signature

    def infer(self, smashed: Array, encoding: str = "float32") -> Floats:
        """Send features [n,C,h,w] in one encoding; return logits [n,K].

        Args:
            smashed: float32; or the head's own uint8 codes, for "uint8" and "coded".
            encoding: float32, float16, uint8 (affine codes) or coded (entropy-coded, for a tail behind a waist).

        Raises:
            WireError: the tail does not accept this encoding, or the features do not fit it.
            TailError: see the class.
        """
        if encoding == CODED:
            headers, body = encode_coded_request(smashed, self.signature(), self._bundle_id)
        else:
            headers, body = encode_request(smashed, self._spec(encoding), self._bundle_id)
        path = f"/predictions/{self._model}"  # TorchServe has this path too
        answered, answer = self._send("POST", path, headers, body)
        return decode_response(answered, answer)

    def _spec(self, encoding: str) -> TensorSpec:
        signature = self.signature()
        spec = signature.encoding(encoding)
        if spec is None:
            offered = ", ".join(signature.encodings)
            raise WireError(f"This tail accepts {offered}, not {encoding}.")
        return spec

    def _get(self, path: str) -> bytes:
        return self._send("GET", path, {}, b"")[1]

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        for attempt in (1, 2):
            fresh = self._http.sock is None
            try:
                self._http.request(method, path, body or None, {**self._headers, **headers})
                response = self._http.getresponse()
                data = response.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                self._http.close()  # the server may have closed an idle connection: try once more on a new one
                if fresh or attempt == 2:
                    raise TailError(f"{self._where} closed the connection ({error}); is the tail running?") from None
            except (OSError, http.client.HTTPException) as error:
                self._http.close()
                raise TailError(f"{self._where} cannot be reached ({error}); start it with pripro serve.") from None
        if response.status != 200:
            raise _refused(self._where, response.status, data)
        return dict(response.getheaders()), data


def _refused(where: str, status: int, body: bytes) -> TailError:
    try:
        told = json.loads(body)
        sentence = str(told["error"])
    except (ValueError, KeyError, TypeError):
        return TailError(f"{where} answered HTTP {status} without a reason; check that this address is a tail.")
    if status == 409 and isinstance(told.get("expected"), str) and isinstance(told.get("got"), str):
        return BundleMismatch(told["expected"], told["got"])
    return TailError(f"{where} refused (HTTP {status}): {sentence}")
