"""Where a request's body lands: its tensor on a 16-byte border, whatever the length of the JSON before it."""

import numpy as np
import pytest

from cloud_tail.guard import RateLimit
from cloud_tail.http1 import Connection
from cloud_tail.http_headers import RequestHeaders
from cloud_tail.http_parts import Limits, Reply
from cloud_tail.metrics import Metrics
from cloud_tail.registry import Registry
from cloud_tail.rest import Rest


class Transport:
    """As much of a transport as a connection needs."""

    def get_extra_info(self, name: str) -> None:
        return None


class Keeps(Rest):
    """Keeps the last body."""

    body: memoryview

    def admit(self, headers: RequestHeaders, peer: str) -> Reply | None:
        return None

    def handle(self, headers: RequestHeaders, body: memoryview, connection: Connection) -> Reply | None:
        self.body = body
        return None


def received(header: bytes, claimed: str, piece: int) -> memoryview:
    """What the application is handed for a JSON header and 64 floats, arriving in pieces."""
    app = Keeps(Registry(), Metrics(), Limits(), token=None, rate=RateLimit(0))
    connection = Connection(app)
    connection.connection_made(Transport())
    body = header + np.arange(64, dtype="<f4").tobytes()
    head = f"POST /v2/models/t/infer HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n{claimed}\r\n".encode()
    data = head + body
    for start in range(0, len(data), piece):
        part = data[start : start + piece]
        while part:
            room = connection.get_buffer(len(part))
            taken = min(len(room), len(part))
            room[:taken] = part[:taken]
            connection.buffer_updated(taken)
            part = part[taken:]
    assert bytes(app.body) == body
    return app.body


@pytest.mark.parametrize("length", range(20, 37))
@pytest.mark.parametrize("piece", [7, 4096])
def test_the_tensor_behind_any_json_header_is_aligned(length, piece):
    body = received(b" " * length, f"Inference-Header-Content-Length: {length}\r\n", piece)
    values = np.frombuffer(body[length:], "<f4")
    assert values.ctypes.data % 16 == 0
    assert np.array_equal(values, np.arange(64, dtype=np.float32))


@pytest.mark.parametrize(
    "claimed", ["", "Inference-Header-Content-Length: -3\r\n", "Inference-Header-Content-Length: 9999999999999\r\n"]
)
def test_a_missing_or_absurd_claim_changes_nothing_about_the_bytes(claimed):
    received(b"{}", claimed, 64)
