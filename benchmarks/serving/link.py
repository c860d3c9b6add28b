"""A kept connection that reads whole answers, and a good request with the logits that it should bring."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from tail_tools import BUNDLE_A, TailServer, post, tiny_features, tiny_signature

from cloud_tail.wire import decode_response, encode_request

GOOD = tiny_features()


class Link:
    """One kept connection that reads whole answers."""

    def __init__(self, server: TailServer, timeout: float = 30) -> None:
        self.server, self.timeout = server, timeout
        self.socket: socket.socket | None = None
        self.left = b""

    def exchange(self, request: bytes, *, finish: bool = False) -> bytes:
        """Send, then read one answer; empty where the server closed without one. `finish`: half-close after sending."""
        if self.socket is None:
            self.socket, self.left = self.server.connect(self.timeout), b""
        try:
            self.socket.sendall(request)
            if finish:
                self.socket.shutdown(socket.SHUT_WR)
        except OSError:  # refused before everything was sent: its answer may still be there
            pass
        answer = self._read()
        if finish or not answer or b"connection: close" in answer.lower():
            self.close()
        return answer

    def _read(self) -> bytes:
        data = self.left
        while (end := data.find(b"\r\n\r\n")) < 0 or data.startswith(b"HTTP/1.1 100"):
            if end >= 0:
                data = data[end + 4 :]
                continue
            part = self._some()
            if not part:
                return b""
            data += part
        head = data[:end].lower()
        at = head.find(b"\r\ncontent-length:") + 2
        stop = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        while len(data) < stop:
            part = self._some()
            if not part:
                return b""
            data += part
        self.left = data[stop:]
        return data[:stop]

    def _some(self) -> bytes:
        try:
            return self.socket.recv(65536) if self.socket else b""
        except ConnectionError:
            return b""

    def close(self) -> None:
        """Give the connection up; the next exchange opens another."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def good_request(encoding: str = "float32") -> bytes:
    """A request that any tiny archive answers."""
    headers, body = encode_request(GOOD, tiny_signature().encoding(encoding), BUNDLE_A)
    return post("/predictions/tail", body, **{name.replace("-", "_"): value for name, value in headers.items()})


def logits_of(answer: bytes) -> np.ndarray:
    """The logits [n,K] in a whole answer."""
    head, body = answer.split(b"\r\n\r\n", 1)
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return decode_response(headers, body)
