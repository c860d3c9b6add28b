"""What our HTTP code, uvicorn and granian do with senders that are slow, large or ambiguous; prints one JSON object.

    benchmarks/serving/setup.sh asgi
    python benchmarks/serving/http_peers.py --out benchmarks/results/http_peers_hostile.json

All three run the same handler (peers/same_handler.py) with the limits that each lets one set: 64 KiB of body, 5 s for a
body, 10 s for headers where there is such an option. A smuggling attempt is a request that two readers could end at
different places, with a second request behind it: `answers` are the statuses that came back, `hidden` whether the
second one was answered.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from run import answers
from servers import PEERS, Running
from tail_tools import tiny_archive, tiny_features

GOOD = tiny_features().tobytes()
HOST = b"Host: t\r\n"
POST = b"POST /predictions/tail HTTP/1.1\r\n"
START = POST + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"GET /v2/models/tail/config HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
#: the hidden request's answer is known by this, which no other answer has
MARK = b'"max_batch_size"'
PATIENCE = 20.0


def ask(port: int, data: bytes, *, wait: float = 3.0) -> tuple[list[int], bytes]:
    """Send bytes; the statuses of all answers until the server closes or is silent for `wait` seconds."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as link:
        try:
            link.sendall(data)
            while part := link.recv(65536):
                got += part
        except OSError:
            pass
    return [int(line[:3]) for line in got.split(b"HTTP/1.1 ")[1:] if line[:3].isdigit()], got


def dripping(port: int, start: bytes, drip: bytes) -> dict[str, object]:
    """Send a start, then one byte every half second, until the server ends it or patience does."""
    begun = time.perf_counter()
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as link:
        link.sendall(start)
        while time.perf_counter() - begun < PATIENCE:
            try:
                link.sendall(drip)
                part = link.recv(4096)
                got += part
                if not part:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    ended = time.perf_counter() - begun
    held = ended >= PATIENCE
    return {"status": int(got[9:12]) if got[9:12].isdigit() else None, "ended_s": None if held else round(ended, 1)}


def large(port: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Bodies and headers beyond the limits."""
    declared = START + b"Content-Length: 1073741824\r\n\r\n"
    begun = time.perf_counter()
    statuses, _ = ask(port, declared + bytes(1000))
    yield "body of 1 GiB declared", {"answers": statuses, "seconds": round(time.perf_counter() - begun, 2)}
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    yield (
        "chunked body of 6 MB",
        {"answers": ask(port, START + CHUNKED + b"\r\n" + chunk * 100)[0]},
    )
    flood = START + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(1000)) + b"\r\n"
    yield "headers of 1 MB", {"answers": ask(port, flood)[0]}


def ambiguous() -> dict[str, bytes]:
    """Requests that two readers could end at different places; each with a second one behind it."""
    zero = b"0\r\n\r\n"
    size = b"%d" % len(zero + HIDDEN)
    whole = b"Content-Length: %d\r\n" % len(GOOD)
    return {
        "length and chunking": START + b"Content-Length: " + size + b"\r\n" + CHUNKED + b"\r\n" + zero + HIDDEN,
        "chunking and length": START + CHUNKED + b"Content-Length: " + size + b"\r\n\r\n" + zero + HIDDEN,
        "two lengths": START + whole + b"Content-Length: 0\r\n\r\n" + GOOD + HIDDEN,
        "the same length twice": START + whole * 2 + b"\r\n" + GOOD + HIDDEN,
        "a list of lengths": START + b"Content-Length: 144, 144\r\n\r\n" + GOOD + HIDDEN,
        "length with a plus": START + b"Content-Length: +144\r\n\r\n" + GOOD + HIDDEN,
        "negative length": START + b"Content-Length: -1\r\n\r\n" + GOOD + HIDDEN,
        "length of 20 digits": START + b"Content-Length: 18446744073709551760\r\n\r\n" + GOOD + HIDDEN,
        "coding xchunked": START + whole + b"Transfer-Encoding: xchunked\r\n\r\n" + GOOD + HIDDEN,
        "coding chunked twice": START + CHUNKED * 2 + b"\r\n" + zero + HIDDEN,
        "coding chunked, identity": START + b"Transfer-Encoding: chunked, identity\r\n\r\n" + zero + HIDDEN,
        "coding after a tab": START + whole + b"Transfer-Encoding:\tchunked\r\n\r\n" + zero + HIDDEN,
        "blank before the colon": START + b"Content-Length : 144\r\n\r\n" + GOOD + HIDDEN,
        "folded header": START + b"X: y\r\n Content-Length: 9\r\n" + whole + b"\r\n" + GOOD + HIDDEN,
        "bare line feeds": POST.replace(b"\r", b"") + b"Host: t\n" + whole.replace(b"\r", b"") + b"\n" + GOOD + HIDDEN,
        "bare line feed in one header": START + b"X: y\n" + CHUNKED + whole + b"\r\n" + GOOD + HIDDEN,
        "NUL in a value": START + b"X: a\0b\r\n" + whole + b"\r\n" + GOOD + HIDDEN,
        "no host": POST + whole + b"\r\n" + GOOD + HIDDEN,
        "two hosts": START + b"Host: other\r\n" + whole + b"\r\n" + GOOD + HIDDEN,
        "chunk size overflows": START + CHUNKED + b"\r\nffffffffffffffff0\r\n" + HIDDEN,
        "chunk size with 0x": START + CHUNKED + b"\r\n0x90\r\n" + GOOD + b"\r\n" + zero + HIDDEN,
        "chunk extension with a line feed": START + CHUNKED + b"\r\n90;x\n" + GOOD + b"\r\n" + zero + HIDDEN,
        "chunk not ended by CRLF": START + CHUNKED + b"\r\n90\r\n" + GOOD + b"XX" + zero + HIDDEN,
        "chunked in HTTP/1.0": POST.replace(b"1.1", b"1.0") + HOST + CHUNKED + b"\r\n" + zero + HIDDEN,
    }  # fmt: skip


def examine(name: str, folder: Path) -> dict[str, object]:
    """Start one server and try everything on it."""
    peer = PEERS[name]
    if name.startswith("ours"):
        own = peer.command
        more = ["--max-body", "65536", "--body-seconds", "5"]
        peer = replace(peer, command=lambda data, scratch, port: [*own(data, scratch, port), *more])
    raw = replace(peer, path="/predictions/tail")
    request = {"Content-Type": "application/octet-stream"}, GOOD
    running = Running(peer, folder, folder, 0, lambda port: answers(port, raw, request))
    try:
        port = running.port
        told: dict[str, object] = {
            "slow headers": dripping(port, START + b"X-Slow: ", b"y"),
            "slow body": dripping(port, START + b"Content-Length: 144\r\n\r\n", b"y"),
            "slow chunks": dripping(port, START + CHUNKED + b"\r\n", b"1\r\ny\r\n"),
        }
        before = running.rss_mb()
        told.update(large(port))
        for kind, data in ambiguous().items():
            statuses, got = ask(port, data)
            told[kind] = {"answers": statuses, "hidden": MARK in got}
        told["alive"] = answers(port, raw, request)
        told["rss_mb_grown"] = round(running.rss_mb() - before, 1)
        return told
    finally:
        running.stop()


def main() -> None:
    """Examine all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="ours-ort,uvicorn-ort,granian-ort")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    os.environ |= {"PRIPRO_MAX_BODY": "65536", "PRIPRO_BODY_SECONDS": "5"}
    told: dict[str, object] = {}
    for name in given.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            tiny_archive(Path(folder), "bench.mar")
            told[PEERS[name].server] = examine(name, Path(folder))
    told["versions"] = {"uvicorn": "0.54.0", "granian": "2.8.9", "httptools": "0.9.0", "uvloop": "0.23.0"}
    told["date"] = datetime.now(UTC).date().isoformat()
    text = json.dumps(told, indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
