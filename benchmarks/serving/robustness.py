"""Counted robustness runs against the real server; prints one JSON object, or writes it with --out.

python benchmarks/serving/robustness.py fuzz --count 200000
python benchmarks/serving/robustness.py leak --count 50000
python benchmarks/serving/robustness.py overload --seconds 60
python benchmarks/serving/robustness.py term --count 20
python benchmarks/serving/robustness.py all --out benchmarks/results/robustness.json
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
from link import GOOD, Link, good_request, logits_of
from overload import crowd
from tail_tools import SHAPE, TailServer, expected_logits, status_of, tiny_archive


def malformed(rng: random.Random) -> tuple[bytes, bool]:
    """One hostile or broken request, and whether the sender then closes its side."""
    tensor: dict[str, object] = {
        "name": "smashed",
        "datatype": "FP32",
        "shape": [1, *SHAPE],
        "parameters": {"binary_data_size": 144},
    }
    header: dict[str, object] = {
        "inputs": [tensor],
        "outputs": [{"name": "logits", "parameters": {"binary_data": True}}],
    }
    payload, extra, finish = GOOD.tobytes(), "", False
    path = rng.choice(["/predictions/tail", "/v2/models/tail/infer"])
    odd = rng.choice(
        [None, True, -1, 0, 1 << 31, 1 << 63, 1e308, "x", "", [], {}, [[]], "FP64", "BYTES", "UINT8", float("nan")]
    )
    kind = rng.randrange(14)
    if kind == 0:
        tensor["shape"] = rng.choice(
            [
                odd,
                [odd] * 4,
                [1, 4, 3, rng.choice([0, -1, 4, 1 << 62])],
                [1] * rng.randrange(20),
                [1 << 32, 1 << 32, 1, 1],
            ]
        )
    elif kind == 1:
        tensor["datatype"] = odd
    elif kind == 2:
        tensor["parameters"] = rng.choice(
            [odd, {"binary_data_size": odd}, {"binary_data_size": rng.randrange(-9, 999)}]
        )
    elif kind == 3:
        header[rng.choice(["inputs", "outputs", "parameters", "id"])] = rng.choice(
            [odd, [odd], [tensor] * rng.randrange(3), {"bundle_id": odd}]
        )
    elif kind == 4:
        payload = struct.pack(
            "<36f", *(rng.choice([float("nan"), float("inf"), -float("inf"), 1.0]) for _ in range(36))
        )
    elif kind == 5:
        payload = (
            payload[: rng.randrange(144)] if rng.random() < 0.5 else payload + rng.randbytes(rng.randrange(1, 400))
        )
    text = json.dumps(header).encode()
    length: object = len(text)
    if kind == 6:
        length = rng.choice(
            [-1, 0, len(text) - 1, len(text) + 1, len(text) + 145, 1 << 31, 1 << 64, "9" * 40, "0x10", "", "1e3"]
        )
    elif kind == 7:
        text = bytes(byte if rng.random() > 0.02 else rng.randrange(256) for byte in text)
    elif kind == 8:
        text = rng.choice([b"[" * 30000, b'{"a":' * 9000, rng.randbytes(200), b"", b"null", b"\xff\xfe" + text])
        length = len(text)
    elif kind == 9:
        extra = rng.choice(
            [
                "Content-Encoding: gzip",
                "Content-Encoding: deflate",
                "Content-Encoding: br",
                "Pripro-Bundle-Id: x",
                f"Pripro-Bundle-Id: {'c' * 64}",
            ]
        )
    body = text + payload
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: t",
        f"Content-Length: {len(body)}",
        f"Inference-Header-Content-Length: {length}",
    ]
    if kind == 10:  # the length of the body is a lie
        lie = rng.choice(
            [len(body) + rng.randrange(1, 500), rng.randrange(len(body)), -5, "x", "5,5", 1 << 40, 1 << 70]
        )
        lines[2] = f"Content-Length: {lie}"
        finish = True
    elif kind == 11:
        lines[2] = "Transfer-Encoding: " + rng.choice(["chunked", "chunked, chunked", "gzip", "identity", "chunKed"])
        body = rng.choice(
            [
                b"zz\r\n",
                b"5\r\nab",
                b"ffffffffffffffffff\r\n",
                b"-1\r\n",
                b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
                b"0\r\n\r\n",
            ]
        )
        finish = True
    elif kind == 12:
        lines[0] = rng.choice(
            [
                "POST / HTTP/1.1",
                "GET " + "/a" * 9000 + " HTTP/1.1",
                "BREW /x HTTP/1.1",
                "POST /predictions/%00 HTTP/1.1",
                "\0",
                "POST  /x",
                "PRI * HTTP/2.0",
            ]
        )
        finish = True
    if extra:
        lines.append(extra)
    request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    if kind == 13:
        noise = bytearray(request)
        for _ in range(rng.randrange(1, 30)):
            noise[rng.randrange(len(noise))] = rng.randrange(256)
        request, finish = bytes(noise), True
    return request, finish


def fuzz(folder: Path, count: int, seed: int = 1) -> dict[str, object]:
    """Malformed requests from four connections, a good one after every tenth; slow and vanishing senders beside."""
    archive = tiny_archive(folder)
    wanted = expected_logits(archive, GOOD)
    statuses: Counter[str] = Counter()
    wrong, good = [], Counter[str]()
    with TailServer(folder, archive, "--max-body", 65536, "--header-seconds", 2, "--body-seconds", 2) as server:
        stop = threading.Event()

        def slow(rng: random.Random) -> None:
            """Drips, stalls and resets."""
            while not stop.is_set():
                request, _ = malformed(rng)
                with server.connect() as link:
                    try:
                        for byte in request[: rng.randrange(1, 60)]:
                            link.send(bytes([byte]))
                            time.sleep(0.002)
                        if rng.random() < 0.5:
                            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    except OSError:
                        pass
                statuses["slow or reset"] += 1

        def attack(rng: random.Random, share: int) -> None:
            link = Link(server)
            for number in range(share):
                request, finish = malformed(rng)
                answer = link.exchange(request, finish=finish)
                statuses[str(status_of(answer) or "closed")] += 1
                if status_of(answer) >= 500 and status_of(answer) not in (503, 505):
                    wrong.append((request[:400], answer[:300]))
                if number % 10 == 0:
                    link.close()
                    encoding = rng.choice(["float32", "float32", "float16", "uint8"])
                    answer = link.exchange(good_request(encoding))
                    good[encoding] += 1
                    close = (
                        np.abs(logits_of(answer) - wanted).max() <= (1e-5 if encoding == "float32" else 0.5)
                        if status_of(answer) == 200
                        else False
                    )
                    if not close:
                        wrong.append((b"good request", answer[:300]))
            link.close()

        senders = [threading.Thread(target=attack, args=(random.Random(seed * 100 + n), count // 4)) for n in range(4)]
        others = [threading.Thread(target=slow, args=(random.Random(seed * 100 + 50 + n),)) for n in range(2)]
        for thread in senders + others:
            thread.start()
        for thread in senders:
            thread.join()
        stop.set()
        for thread in others:
            thread.join()
        alive = server.process.poll() is None
    return {
        "malformed": 4 * (count // 4),
        "answers": dict(statuses),
        "good": dict(good),
        "wrong": [str(pair) for pair in wrong[:5]],
        "alive": alive,
    }


def rss_mb(server: TailServer) -> float:
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096 / 1e6


def leak(folder: Path, count: int) -> dict[str, object]:
    """Resident memory after a tenth of the requests, and at the end; good, refused and dropped ones mixed."""
    archive = tiny_archive(folder)
    rng = random.Random(3)
    with TailServer(folder, archive, "--max-body", 65536) as server:
        link, marks = Link(server), []
        for number in range(count + count // 5):
            if number % 3:
                link.exchange(good_request(rng.choice(["float32", "uint8"])))
            else:
                request, finish = malformed(rng)
                link.exchange(request, finish=finish)
            if number in (count // 5, count + count // 5 - 1):
                marks.append(rss_mb(server))
        link.close()
    return {
        "requests": count,
        "rss_mb_after_warm_up": marks[0],
        "rss_mb_at_end": marks[1],
        "growth": marks[1] / marks[0] - 1,
    }


def overload(folder: Path, seconds: float) -> dict[str, object]:
    """Ten times as many clients as the queue holds, for a minute; then one client, at once."""
    archive = tiny_archive(folder, layers=8, width=2048)
    wanted = expected_logits(archive, GOOD)
    queue = 8
    with TailServer(folder, archive, "--queue", queue, "--max-batch", 1, "--workers", 1) as server:
        link, request, single = Link(server), good_request(), []
        for _ in range(200):
            started = time.perf_counter()
            link.exchange(request)
            single.append(time.perf_counter() - started)
        before, during = rss_mb(server), []
        watch = threading.Timer(0.9 * seconds, lambda: during.append(rss_mb(server)))
        watch.start()
        seen = crowd(
            ("127.0.0.1", server.port),
            request,
            10 * queue,
            seconds,
            lambda answer: bool(np.abs(logits_of(answer) - wanted).max() <= 1e-4),
        )
        stopped = time.perf_counter()
        while status_of(link.exchange(request)) != 200:
            continue
        recovery = time.perf_counter() - stopped
        watch.join()
        link.close()
    run_ms = 1000 * float(np.median(single))
    return {
        "clients": 10 * queue,
        "queue": queue,
        "seconds": seconds,
        "answers": dict(seen.statuses),
        "wrong": seen.wrong,
        "p50_ms_alone": run_ms,
        "queue_ms": (queue + 1) * run_ms,
        "p50_ms": 1000 * float(np.median(seen.times)),
        "p99_ms": 1000 * float(np.percentile(seen.times, 99)),
        "rss_mb_before": before,
        "rss_mb_during": during[0],
        "recovery_s": recovery,
    }


def term(folder: Path, count: int) -> dict[str, object]:
    """SIGTERM under load, again and again: a request that was sent is answered, or its connection was refused."""
    archive = tiny_archive(folder, layers=4, width=512)
    answered, lost, refused = 0, 0, 0
    for number in range(count):
        stop, lock = threading.Event(), threading.Lock()
        with TailServer(folder, archive, "--queue", 64) as server:

            def hammer(
                server: TailServer = server,
                stop: threading.Event = stop,
                lock: threading.Lock = lock,
                fresh: bool = False,
            ) -> None:
                nonlocal answered, lost, refused
                mine, request = Link(server), good_request()
                while not stop.is_set():
                    try:
                        answer = mine.exchange(request)
                    except ConnectionRefusedError:
                        with lock:
                            refused += 1
                        break
                    with lock:
                        answered += status_of(answer) == 200
                        lost += status_of(answer) != 200
                    if fresh:
                        mine.close()
                mine.close()

            threads = [threading.Thread(target=hammer, kwargs={"fresh": n % 2 == 0}) for n in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(0.3 + 0.01 * number)
            server.process.terminate()
            for thread in threads:
                thread.join()
    return {"terminations": count, "answered": answered, "lost": lost, "clients_that_saw_the_port_closed": refused}


def main() -> None:
    """Read the command line, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["fuzz", "leak", "overload", "term", "all"])
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    runs = {
        "fuzz": lambda folder: fuzz(folder, given.count or 200_000),
        "leak": lambda folder: leak(folder, given.count or 50_000),
        "overload": lambda folder: overload(folder, given.seconds),
        "term": lambda folder: term(folder, given.count or 20),
    }
    chosen = list(runs) if given.what == "all" else [given.what]
    results: dict[str, object] = {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            results[name] = runs[name](Path(folder))
            print(f"{name}: {time.monotonic() - started:.0f} s {json.dumps(results[name])}", file=sys.stderr)
    results["command"] = " ".join(["python", *sys.argv])
    results["machine"] = f"{platform.machine()}, {platform.system()} {platform.release()}"
    results["versions"] = {name: version(name) for name in ("httptools", "uvloop", "onnxruntime", "numpy")}
    results["date"] = datetime.now(UTC).strftime("%Y-%m-%d")
    text = json.dumps(results, indent=1)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
