"""Access control: the token, and a rate limit per client."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from pathlib import Path

from .errors import TailError

_MIN_TOKEN = 16
_MAX_CLIENTS = 4096


def read_token(path: Path) -> bytes:
    """Read a token file: one line of at least 16 printable ASCII characters.

    Raises:
        TailError: the file cannot be read or does not hold such a token.
    """
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise TailError(f"The token file {path} cannot be read ({error.strerror}); check --token-file.") from None
    if len(token) < _MIN_TOKEN or not all(33 <= byte <= 126 for byte in token):
        raise TailError(
            f"{path} must hold one token of at least {_MIN_TOKEN} printable characters; "
            "make one with: openssl rand -hex 32"
        )
    return token


def token_fits(authorization: str | None, token: bytes) -> bool:
    """Compare `Authorization: Bearer ...` in a time that does not depend on how much of it matches."""
    scheme, _, given = (authorization or "").partition(" ")
    return hmac.compare_digest(given.strip().encode("latin-1", "replace"), token) and scheme.lower() == "bearer"


class RateLimit:
    """A token bucket per client address: `rate` requests per second, bursts of twice that.

    It keeps at most 4096 clients and forgets the least recent, so a flood of addresses costs no memory.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._burst = max(1.0, 2 * rate)
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take one request from the client's bucket: 0.0 if there was one, else seconds until the next."""
        if self.rate <= 0:
            return 0.0
        now = time.monotonic()
        level, then = self._clients.pop(client, (self._burst, now))
        level = min(self._burst, level + (now - then) * self.rate)
        allowed = level >= 1.0
        self._clients[client] = (level - 1.0 if allowed else level, now)
        if len(self._clients) > _MAX_CLIENTS:
            self._clients.popitem(last=False)
        return 0.0 if allowed else (1.0 - level) / self.rate
