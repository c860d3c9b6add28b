"""Closed-loop load from one process: C kept connections, each sends its next request once it has its answer.

Prints one JSON object: counts by status, requests/s, percentiles in ms. Standard library only, so that it
runs beside every server's environment; it writes prebuilt bytes and reads answers, nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import time
from collections import Counter
from pathlib import Path


def prebuilt(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A whole request as bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: tail",
        f"Content-Length: {len(body)}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """One kept connection with at most one request on its way."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.address, self.request = address, request
        self.socket: socket.socket | None = None
        self.reconnect()
        self.data = b""
        self.sent = 0.0

    def reconnect(self) -> None:
        """Open a new connection in place of the old one."""
        if self.socket is not None:
            self.socket.close()
        self.socket = socket.create_connection(self.address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> None:
        """Send the request, and note when."""
        self.sent = time.perf_counter()
        self.data = b""
        self.socket.sendall(self.request)

    def receive(self) -> int | None:
        """Read on; the status once a whole answer is there."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError
        self.data += part
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.data[:end].lower()
        at = head.find(b"\r\ncontent-length:") + 2
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.data) < end + 4 + length:
            return None
        status = int(head.split(b" ", 2)[1])
        if b"connection: close" in head:
            self.reconnect()
        return status


def run(
    address: tuple[str, int], request: bytes, concurrency: int, seconds: float, *, warm: float = 0.5
) -> dict[str, object]:
    """Load for `seconds` after `warm` seconds that do not count."""
    selector = selectors.DefaultSelector()
    for _ in range(concurrency):
        client = Client(address, request)
        client.send()
        selector.register(client.socket, selectors.EVENT_READ, client)
    begin = time.perf_counter() + warm
    end = begin + seconds
    times: list[float] = []
    statuses: Counter[str] = Counter()
    sent = concurrency
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1.0):
            client = key.data
            try:
                status = client.receive()
                if status is None:
                    continue
            except OSError:
                status = 0
                client.reconnect()
            if client.socket is not key.fileobj:
                selector.unregister(key.fileobj)
                selector.register(client.socket, selectors.EVENT_READ, client)
            now = time.perf_counter()
            if now > begin:
                statuses[str(status or "broken")] += 1
                if status == 200:
                    times.append(now - client.sent)
            client.send()
            sent += 1
    selector.close()
    times.sort()

    def at(share: float) -> float:
        return round(1000 * times[min(len(times) - 1, int(share * len(times)))], 4) if times else float("nan")

    return {
        "rps": len(times) / seconds,
        "sent": sent,
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "statuses": dict(statuses),
    }


def main() -> None:
    """Read the command line and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--headers", default="{}")
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--core", type=int, default=None)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    request = prebuilt(given.path, json.loads(given.headers), given.body.read_bytes())
    print(json.dumps(run(("127.0.0.1", given.port), request, given.concurrency, given.seconds)))


if __name__ == "__main__":
    main()
