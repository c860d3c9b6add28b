"""A small blocking client for the tail; it needs only the standard library and numpy."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from .errors import BundleMismatch, TailError, WireError
from .signature import CODED, Signature, TensorSpec
from .wire import decode_response, encode_coded_request, encode_request

if TYPE_CHECKING:
    from .wire import Array, Floats


class Address(NamedTuple):
    """Where a tail is.

    Attributes:
        prefix: the path in front of the server's own, without a slash at its end; empty at the root.
        model: the model that the URL names, or None.
        shown: the address for messages, without anything secret.
    """

    secure: bool
    host: str
    port: int
    prefix: str
    model: str | None
    shown: str


def read_address(url: str) -> Address:
    """Take a tail's URL apart.

    Raises:
        TailError: it is not an http or https URL, or it has a part that a tail's URL does not have.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is not a number, half an IPv6 address
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or host is None:
        raise TailError(f"{url!r} is not a tail's URL; expected one like http://127.0.0.1:8080 or https://host/prefix.")
    if parts.username is not None or parts.password is not None:
        raise TailError("A tail's URL has no user name or password; give the token by itself.")
    if parts.query or parts.fragment:
        raise TailError("A tail's URL has nothing behind a ? or #; give the plain address.")
    steps = [step for step in parts.path.split("/") if step]
    if not parts.path.isascii() or ".." in steps or "." in steps:
        raise TailError(f"{url!r} has a path with . or .. or letters that are not ASCII; give the plain address.")
    model = None
    if len(steps) >= 2 and steps[-2] in ("models", "predictions"):
        model = unquote(steps[-1])
        steps = steps[:-3] if steps[-3:-1] == ["v2", "models"] else steps[:-2]
    prefix = "".join(f"/{step}" for step in steps)
    secure = parts.scheme == "https"
    named = f"[{host}]" if ":" in host else host
    shown = f"{parts.scheme}://{named}{'' if port is None else f':{port}'}{prefix}"
    return Address(secure, host, port or (443 if secure else 80), prefix, model, shown)


class TailClient:
    """Talks to one tail over one persistent connection.

    Args:
        url: the server, e.g. http://127.0.0.1:8080, with the prefix that a proxy gives it, e.g. https://host/ml; or a
            model's own URL below that, .../v2/models/NAME or .../predictions/NAME.
        token: sent as `Authorization: Bearer`, to this address only: redirects are not followed.
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
        address = read_address(url)
        self._where = address.shown
        self._prefix = address.prefix
        if address.secure:
            secure = context or ssl.create_default_context()
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                address.host, address.port, timeout=timeout, context=secure
            )
        else:
            self._http = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        if token is not None and not (token.isascii() and token.isprintable() and token == token.strip()):
            raise TailError("A token has printable ASCII characters only; read it without its line break.")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._signature = signature
        self._model = model or address.model or (signature.name if signature else None)
        self._bundle_id = bundle_id or (signature.bundle_id if signature else None)

    def __enter__(self) -> TailClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def alive(self) -> None:
        """Ask the server for an answer that takes no computation.

        Raises:
            TailError: see the class.
        """
        self._get("/ping")

    def signature(self) -> Signature:
        """Return the tail's signature; asks the server the first time."""
        if self._signature is None:
            path = "/signatures" if self._model is None else f"/signatures/{quote(self._model, safe='')}"
            listed = self._listed(self._get(path))
            if len({item["name"] for item in listed}) != 1:
                names = ", ".join(sorted({item["name"] for item in listed}))
                raise TailError(f"{self._where} serves {names}; choose one of them as the model.")
            chosen = next((item for item in listed if item.get("bundle_id") == self._bundle_id), listed[-1])
            self._signature = Signature.from_json(json.dumps(chosen))
            self._model = self._signature.name
        return self._signature

    def _listed(self, answer: bytes) -> list[dict[str, Any]]:
        try:
            listed = json.loads(answer)
            fits = isinstance(listed, list) and all(isinstance(item["name"], str) for item in listed)
        except (ValueError, KeyError, TypeError, RecursionError):
            fits = False
        if not fits or not listed:
            raise TailError(f"{self._where} does not list its tails; check that this address is a tail.")
        return list(listed)

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
        path = f"/predictions/{quote(str(self._model), safe='')}"  # TorchServe has this path too
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
                self._http.request(method, self._prefix + path, body or None, {**self._headers, **headers})
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
        if 300 <= response.status < 400:
            elsewhere = str(response.getheader("Location"))[:200]
            raise TailError(
                f"{self._where} redirects to {elsewhere!r}, where a token is not sent; give the final address."
            )
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
