"""The serving comparison in one run: every server and the bare engines, paired rounds, medians, ratios.

    benchmarks/serving/setup.sh torchserve litserve ray
    .venv/bin/python benchmarks/serving/run.py --rounds 5 --out benchmarks/results/serving.json

Server and all its children on one core, the load on the other. A round starts each server, loads it at every
concurrency with both bodies, and times the bare engines in between; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from net import SHAPE, features
from servers import PEERS, ROOT, Peer, Running, busy_s, go_first

sys.path.insert(0, str(ROOT))
from cloud_tail.archive import open_archive
from cloud_tail.wire import encode_request, quantise

SERVER_CORE, LOAD_CORE = 0, 1
CONCURRENCY = (1, 4, 16)
ENCODINGS = ("float32", "uint8")
Row = dict[str, object]


def bodies(data: Path) -> dict[tuple[str, str], tuple[dict[str, str], bytes]]:
    """(form of the body, encoding) -> headers and body of one request."""
    signature = open_archive(data / "bench.mar").signature
    smashed = features(1, seed=99)
    found = {}
    for encoding in ENCODINGS:
        spec = signature.encoding(encoding)
        raw = quantise(smashed, spec) if encoding == "uint8" else smashed
        found["v2", encoding] = encode_request(smashed, spec, None)
        found["raw", encoding] = {"Content-Type": "application/octet-stream"}, raw.tobytes()
        found["form", encoding] = _form(raw.tobytes())
    return found


def _form(tensor: bytes) -> tuple[dict[str, str], bytes]:
    """A multipart form: the only way that LitServe takes bytes."""
    head = b'--x\r\nContent-Disposition: form-data; name="tensor"; filename="t"\r\n\r\n'
    return {"Content-Type": "multipart/form-data; boundary=x"}, head + tensor + b"\r\n--x--\r\n"


def answers(port: int, peer: Peer, request: tuple[dict[str, str], bytes]) -> bool:
    """Whether one request gets a 200."""
    import http.client

    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("POST", peer.path, request[1], request[0])
        return link.getresponse().status == 200
    except OSError:
        return False
    except http.client.HTTPException:
        return False
    finally:
        link.close()


def load(
    port: int, peer: Peer, request: tuple[dict[str, str], bytes], concurrency: int, seconds: float, scratch: Path
) -> dict[str, float]:
    """One measurement by load.py on the other core."""
    (scratch / "body").write_bytes(request[1])
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("load.py")),
            "--port",
            str(port),
            "--path",
            peer.path,
            "--headers",
            json.dumps(request[0]),
            "--body",
            str(scratch / "body"),
            "--concurrency",
            str(concurrency),
            "--seconds",
            str(seconds),
            "--core",
            str(LOAD_CORE),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def measure(
    name: str, data: Path, requests: dict[tuple[str, str], tuple[dict[str, str], bytes]], seconds: float
) -> list[Row]:
    """Start one server and load it in every way."""
    peer, rows = PEERS[name], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        first = requests[peer.body, "float32"]
        running = Running(peer, data, scratch, SERVER_CORE, lambda port: answers(port, peer, first))
        try:
            for encoding in ENCODINGS:
                for concurrency in CONCURRENCY:
                    cpu, busy, begin = running.cpu_s(), busy_s(SERVER_CORE), time.perf_counter()
                    told = load(running.port, peer, requests[peer.body, encoding], concurrency, seconds, scratch)
                    spent = running.cpu_s() - cpu
                    others = busy_s(SERVER_CORE) - busy - spent
                    rows.append(
                        {
                            "server": peer.server,
                            "engine": peer.engine,
                            "body": encoding,
                            "concurrency": concurrency,
                            "rps": told["rps"],
                            "p50_ms": told["p50_ms"],
                            "p99_ms": told["p99_ms"],
                            "cpu_ms": 1000 * spent / told["sent"],  # also those of load.py's warm-up
                            "rss_mb": running.rss_mb(),
                            "start_s": running.start_s,
                            "others_on_core": max(0.0, others) / (time.perf_counter() - begin),
                            "bad": sum(n for status, n in told["statuses"].items() if status != "200"),
                        }
                    )
        finally:
            running.stop()
    return rows


def bare(engine: str, data: Path, seconds: float) -> Row:
    """The engine's batch-1 forward in a process of its own on the server's core, without any server."""
    kind, _, precision = engine.rpartition("-")
    command = [
        sys.executable,
        str(Path(__file__).with_name("bare.py")),
        kind,
        precision,
        str(data),
        str(seconds),
        str(SERVER_CORE),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return {"server": "bare", "engine": engine, "body": "-", "concurrency": 1, **json.loads(done.stdout)}


def with_ratios(rows: list[Row]) -> list[Row]:
    """Add one round's ratios: to the engine's bare forward, to TorchServe and to our server with the same load."""
    bares = {row["engine"]: row for row in rows if row["server"] == "bare"}
    torchserve = {(row["body"], row["concurrency"]): row for row in rows if row["server"] == "torchserve"}
    own = {(row["engine"], row["body"], row["concurrency"]): row for row in rows if row["server"] == "ours"}
    for row in rows:
        beside = own.get((row["engine"], row["body"], row["concurrency"]))
        if beside is not None and beside is not row:
            for field in ("rps", "cpu_ms", "p50_ms", "p99_ms"):
                row[f"{field}_ratio_to_ours"] = row[field] / beside[field]
        alone, reference = bares.get(row["engine"]), torchserve.get((row["body"], row["concurrency"]))
        if alone is not None:
            row["ratio_to_bare"] = row["rps"] / alone["rps"]
            row["cpu_ratio_to_bare"] = row["cpu_ms"] / alone["cpu_ms"]
            row["cpu_ratio_to_paced"] = row["cpu_ms"] / alone["paced_cpu_ms"]
            row["p50_ratio_to_bare"] = row["p50_ms"] / alone["p50_ms"]
        if reference is not None:
            row["ratio_to_torchserve"] = row["rps"] / reference["rps"]
    return rows


def medians(rounds: list[list[Row]]) -> list[Row]:
    """One row per server, engine, body and concurrency; each number the median over rounds."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in (row for rows in rounds for row in rows):
        groups.setdefault((row["server"], row["engine"], row["body"], row["concurrency"]), []).append(row)
    merged = []
    for key, group in groups.items():
        told: Row = dict(zip(("server", "engine", "body", "concurrency"), key, strict=True))
        told["rounds"] = len(group)
        for field in group[0]:
            if field not in told:
                values = [row[field] for row in group if row.get(field) is not None]
                told[field] = sum(values) if field == "bad" else float(f"{statistics.median(values):.4g}")
        merged.append(told)
    return merged


def goals(rows: list[Row]) -> dict[str, dict[str, float]]:
    """The figures that the README quotes, goal beside measured."""

    def pick(server: str, engine: str, concurrency: int, field: str, body: str = "float32") -> float:
        found = (
            r
            for r in rows
            if (r["server"], r["engine"], r["concurrency"], r["body"]) == (server, engine, concurrency, body)
        )
        return next((float(row.get(field, "nan")) for row in found), float("nan"))

    told = {"transport alone p50 ms": {"goal_at_most": 0.25, "measured": pick("ours", "none", 1, "p50_ms")}}
    for label, engine, *at_least in (
        ("fp32 onnxruntime", "onnxruntime-f32", 2.5, 2.0),
        ("fp32 openvino", "openvino-f32", 2.5, 2.0),
        ("bf16 openvino", "openvino-bf16", 4.0, 3.5),
        ("int8 onnxruntime", "onnxruntime-int8", 6.5, 6.0),
        ("int8 openvino", "openvino-int8", 6.5, 6.0),
    ):
        for what, concurrency, field, side, goal in (
            ("rps over TorchServe at 1", 1, "ratio_to_torchserve", "goal_at_least", at_least[0]),
            ("rps over TorchServe at 16", 16, "ratio_to_torchserve", "goal_at_least", at_least[1]),
            ("CPU over bare at 1", 1, "cpu_ratio_to_bare", "goal_at_most", 1.05),
            ("CPU over bare at 16", 16, "cpu_ratio_to_bare", "goal_at_most", 1.05),
            ("CPU at 1 over bare with pauses", 1, "cpu_ratio_to_paced", "goal_at_most", 1.05),
            ("p50 over bare at 1", 1, "p50_ratio_to_bare", "goal_at_most", 1.3),
            ("rps at 16 over bare batch 1", 16, "ratio_to_bare", "goal_at_least", 1.15),
            ("RSS MB", 16, "rss_mb", "goal_at_most", 250),
            ("start to first answer s", 1, "start_s", "goal_at_most", 1.5),
        ):
            told[f"{label}: {what}"] = {side: goal, "measured": pick("ours", engine, concurrency, field)}
    return told


def main() -> None:
    """Read the command line, run the rounds, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--only", default=",".join(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "serving")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument(
        "--keep", type=Path, default=None, help="add rounds to this file, and tell the medians of all in it"
    )
    given = parser.parse_args()
    with contextlib.suppress(PermissionError):  # a session leader has its own session already
        os.setsid()
    go_first(os.getpid())
    if not (given.data / "bench.mar").exists():
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("tail_model.py")), str(given.data)],
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    names, requests = given.only.split(","), bodies(given.data)
    rounds = []
    for number in range(given.rounds):
        rows: list[Row] = []
        order = names[number % len(names) :] + names[: number % len(names)]
        for name in order:
            rows += measure(name, given.data, requests, given.seconds)
            engine = PEERS[name].engine
            if engine != "none" and not any(row["server"] == "bare" and row["engine"] == engine for row in rows):
                rows.append(bare(engine, given.data, given.seconds))
            print(f"round {number + 1}: {name} done", file=sys.stderr, flush=True)
        rounds.append(with_ratios(rows))
        if given.keep is not None:
            with given.keep.open("a") as stream:
                stream.write(json.dumps(rounds[-1]) + "\n")
    if given.keep is not None:
        rounds = [json.loads(line) for line in given.keep.read_text().splitlines()]
    rows = medians(rounds)
    result = {
        "rows": rows,
        "rounds": len(rounds),
        "goals": goals(rows),
        "tail": f"ResNet-18 from layer3, smashed data {list(SHAPE)}, random weights",
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{cpu_name()}, {os.cpu_count()} cores, server on one, load on the other",
        "versions": {
            name: version(name) for name in ("onnxruntime", "openvino", "httptools", "uvloop", "numpy", "torch")
        }
        | {"torchserve": "0.12.0", "litserve": "0.2.19", "ray": "2.60.0"},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    text = json.dumps(result, indent=1)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text + "\n")
    for goal, told in result["goals"].items():
        print(f"{goal}: {told}", file=sys.stderr)


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


if __name__ == "__main__":
    main()
