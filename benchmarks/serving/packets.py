"""What a body costs that arrives in packets, as over a phone's link, beside one that arrives at once.

    .venv/bin/python benchmarks/serving/packets.py --only ours-noop,torchserve --out benchmarks/results/packets.json

Four connections send their bodies in pieces of 1,448 bytes, the payload of an Ethernet frame, all four a piece every
0.4 ms: 28 Mbit/s each. Then the same requests at the same pace, each in one piece. CPU is that of the server's whole
process tree per request; the server has one core, the clients have the other.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from load import Client, prebuilt
from run import LOAD_CORE, SERVER_CORE, answers, bodies, cpu_name
from servers import PEERS, ROOT, Running, go_first

CONNECTIONS, SEGMENT, PAUSE_S = 4, 1448, 0.0004


def send(running: Running, request: bytes, repeats: int, segment: int) -> float:
    """CPU milliseconds per request; all must be answered with 200."""
    clients = [Client(("127.0.0.1", running.port), request) for _ in range(CONNECTIONS)]
    before = running.cpu_s()
    for _ in range(repeats):
        due = time.perf_counter()
        for at in range(0, len(request), SEGMENT):
            due += PAUSE_S
            if segment == SEGMENT or at + SEGMENT >= len(request):  # at once: when the last packet would come
                piece = request[at : at + SEGMENT] if segment == SEGMENT else request
                for client in clients:
                    client.socket.sendall(piece)
            time.sleep(max(0.0, due - time.perf_counter()))
        for client in clients:
            client.data = b""
            while (status := client.receive()) is None:
                pass
            if status != 200:
                raise RuntimeError(f"a request was answered with {status}")
    spent = running.cpu_s() - before
    for client in clients:
        client.socket.close()
    return 1000 * spent / (repeats * CONNECTIONS)


def main() -> None:
    """Measure each server in turns, and write medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="ours-noop,ours-int8,torchserve,litserve", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=50, help="requests of each connection and round")
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "serving")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    go_first(os.getpid())
    os.sched_setaffinity(0, {LOAD_CORE})
    requests, rows = bodies(given.data), []
    for name in given.only.split(","):
        peer = PEERS[name]
        headers, body = requests[peer.body, "float32"]
        request = prebuilt(peer.path, headers, body)
        with tempfile.TemporaryDirectory() as folder:
            running = Running(
                peer, given.data, Path(folder), SERVER_CORE,
                lambda port, peer=peer, body=body, headers=headers: answers(port, peer, (headers, body)),
            )  # fmt: skip
            try:
                send(running, request, given.repeats, len(request))  # warms up
                rounds = [
                    (
                        send(running, request, given.repeats, len(request)),
                        send(running, request, given.repeats, SEGMENT),
                    )
                    for _ in range(given.rounds)
                ]
            finally:
                running.stop()
        once, packets = (statistics.median(values) for values in zip(*rounds, strict=True))
        rows.append(
            {
                "server": peer.server,
                "engine": peer.engine,
                "cpu_ms_at_once": round(once, 3),
                "cpu_ms_in_packets": round(packets, 3),
                "added_ms": round(statistics.median(packets - once for once, packets in rounds), 3),
                "packets": -(-len(request) // SEGMENT),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    result = {
        "rows": rows,
        "rounds": given.rounds,
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{cpu_name()}, {os.cpu_count()} cores, server on one, clients on the other",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    text = json.dumps(result, indent=1)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
