"""Every server of the comparison: how it starts, where it answers, and what its process tree costs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VENVS = Path(os.environ.get("PRIPRO_VENVS", ROOT / "build" / "venvs"))
V2, RAW = "/v2/models/tail/infer", "/predictions/tail"


@dataclass(frozen=True)
class Peer:
    """One row of the comparison.

    Attributes:
        server, engine: as the result names them; rows of one engine share a bare forward.
        path: where it infers.
        body: `v2` binary, `raw` (the tensor's bytes) or `form` (multipart).
        command: from (data folder, scratch folder, port) to the command line.
    """

    server: str
    engine: str
    path: str
    body: str
    command: Callable[[Path, Path, int], list[str]]


def _own(engine: str, precision: str) -> Callable[[Path, Path, int], list[str]]:
    def command(data: Path, scratch: Path, port: int) -> list[str]:
        return [
            sys.executable,
            "-m",
            "cloud_tail",
            "serve",
            str(data / "bench.mar"),
            "--port",
            str(port),
            "--engine",
            engine,
            "--precision",
            precision,
            "--queue",
            "64",
        ]

    return command


def _torchserve(archive: str) -> Callable[[Path, Path, int], list[str]]:
    """Default TorchServe with the batching that our archive asks for as well."""

    def command(data: Path, scratch: Path, port: int) -> list[str]:
        store = scratch / "store"
        store.mkdir()
        os.link(data / archive, store / "tail.mar")
        (scratch / "config.properties").write_text(
            f"inference_address=http://127.0.0.1:{port}\nmanagement_address=http://127.0.0.1:{port + 1}\n"
            f"metrics_address=http://127.0.0.1:{port + 2}\n"
            f"grpc_inference_port={port + 3}\ngrpc_management_port={port + 4}\n"
            "load_models=tail.mar\ndisable_token_authorization=true\nmax_request_size=67108864\nmetrics_mode=prometheus\n"
        )
        return [
            str(VENVS / "torchserve" / "bin" / "torchserve"),
            "--start",
            "--foreground",
            "--ncs",
            "--model-store",
            str(store),
            "--ts-config",
            str(scratch / "config.properties"),
        ]

    return command


def _script(venv: str, script: str, model: str) -> Callable[[Path, Path, int], list[str]]:
    return lambda data, scratch, port: [
        str(VENVS / venv / "bin" / "python"),
        str(HERE / "peers" / script),
        str(port),
        str(data / model),
    ]


def _same_handler(server: str, precision: str) -> Callable[[Path, Path, int], list[str]]:
    """Our handler, codec, batcher and engine on another HTTP server, with its limits set."""

    def command(data: Path, scratch: Path, port: int) -> list[str]:
        tool = str(VENVS / "asgi" / "bin" / server)
        setting = [f"PRIPRO_ARCHIVE={data / 'bench.mar'}", f"PRIPRO_PRECISION={precision}"]
        paths = f"PYTHONPATH={ROOT}:{HERE / 'peers'}"
        if server == "uvicorn":
            options = "--host 127.0.0.1 --loop uvloop --http httptools --ws none --lifespan on --no-access-log"
            options += " --log-level warning --limit-concurrency 1024 --timeout-keep-alive 75 --backlog 512"
            target = "same_handler:asgi"
        else:
            options = "--host 127.0.0.1 --interface rsgi --loop uvloop --no-ws --http 1 --workers 1 --no-access-log"
            options += " --log-level warning --backpressure 1024 --backlog 512 --http1-buffer-size 16384"
            options += " --http1-header-read-timeout 10000"
            target = "same_handler:rsgi"
        return ["env", *setting, paths, tool, *options.split(), "--port", str(port), target]

    return command


def _noop(data: Path, scratch: Path, port: int) -> list[str]:
    return [sys.executable, str(HERE / "noop.py"), str(data / "bench.mar"), str(scratch / "ready.json"), str(port)]


PEERS = {
    "torchserve": Peer("torchserve", "torch-eager", RAW, "raw", _torchserve("eager.mar")),
    "torchserve+mar": Peer("torchserve+our .mar", "onnxruntime-f32", RAW, "v2", _torchserve("bench.mar")),
    "litserve": Peer(
        "litserve", "onnxruntime-f32", "/predict", "form", _script("litserve", "litserve_app.py", "tail.onnx")
    ),
    "ray": Peer("ray serve", "onnxruntime-f32", V2, "v2", _script("ray", "ray_serve.py", "bench.mar")),
    "ours-ort": Peer("ours", "onnxruntime-f32", V2, "v2", _own("onnxruntime", "f32")),
    "ours-openvino": Peer("ours", "openvino-f32", V2, "v2", _own("openvino", "f32")),
    "ours-bf16": Peer("ours", "openvino-bf16", V2, "v2", _own("openvino", "bf16")),
    "ours-int8": Peer("ours", "onnxruntime-int8", V2, "v2", _own("onnxruntime", "int8")),
    "ours-openvino-int8": Peer("ours", "openvino-int8", V2, "v2", _own("openvino", "int8")),
    "uvicorn-ort": Peer("uvicorn, our handler", "onnxruntime-f32", V2, "v2", _same_handler("uvicorn", "f32")),
    "granian-ort": Peer("granian, our handler", "onnxruntime-f32", V2, "v2", _same_handler("granian", "f32")),
    "uvicorn-int8": Peer("uvicorn, our handler", "onnxruntime-int8", V2, "v2", _same_handler("uvicorn", "int8")),
    "granian-int8": Peer("granian, our handler", "onnxruntime-int8", V2, "v2", _same_handler("granian", "int8")),
    "ours-noop": Peer("ours", "none", V2, "v2", _noop),
}


class Running:
    """A started peer, pinned to one core with all its children, until `stop`."""

    def __init__(self, peer: Peer, data: Path, scratch: Path, core: int, request: Callable[[int], bool]) -> None:
        self.port = _free_port()
        bin_folder = VENVS / "torchserve" / "bin"
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "TMPDIR": str(scratch),
            "LOG_LOCATION": str(scratch),
            "METRICS_LOCATION": str(scratch),
            "RAY_USAGE_STATS_ENABLED": "0",
            "ORT_DISABLE_TELEMETRY": "1",
        }
        command = peer.command(data, scratch, self.port)
        started = time.perf_counter()
        with (scratch / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                cwd=scratch,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        go_first(self._process.pid)
        while not request(self.port):
            if self._process.poll() is not None or time.perf_counter() - started > 120:
                self.stop()
                raise RuntimeError(f"{peer.server} did not start: {(scratch / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        self.start_s = time.perf_counter() - started

    def _tree(self) -> list[int]:
        parents = {}
        for entry in filter(str.isdigit, (path.name for path in Path("/proc").iterdir())):
            try:
                parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        tree = {self._process.pid}
        while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
            tree |= more
        return sorted(tree)

    def cpu_s(self) -> float:
        """User and system seconds of all its processes so far."""
        total = 0
        for pid in self._tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                continue
        return total / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident megabytes of all its processes."""
        pages = 0
        for pid in self._tree():
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """End it and every process that it started."""
        tree = self._tree()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in tree:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(0.5)
        self._process.wait()


def go_first(pid: int) -> None:
    """Put a session ahead of other work on a shared machine, where the system lets us.

    Linux shares the processor among sessions first, so that niceness alone would not do.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("-20")


def busy_s(core: int) -> float:
    """Seconds that a core has worked so far, for whomever."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, irq, soft, stolen = (int(part) for part in line.split()[1:9])
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    """A port with four free ones behind it."""
    while True:
        links = []
        try:
            first = socket.socket()
            first.bind(("127.0.0.1", 0))
            links.append(first)
            port = first.getsockname()[1]
            for offset in range(1, 5):
                link = socket.socket()
                links.append(link)
                link.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        else:
            return int(port)
        finally:
            for link in links:
                link.close()
