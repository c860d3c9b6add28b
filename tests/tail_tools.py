"""What the tail's tests share: a tiny real ONNX tail in a real archive, and a real server process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cloud_tail.archive import write_archive
from cloud_tail.coding import Coding, frequencies, table_id
from cloud_tail.signature import Signature, TensorSpec

ROOT = Path(__file__).parents[1]
SHAPE, CLASSES = (4, 3, 3), 10
BUNDLE_A, BUNDLE_B = "a1" * 32, "b2" * 32


def tiny_onnx(path: Path, seed: int = 0, *, layers: int = 1, width: int = 64) -> Path:
    """A dense tail; more layers make it slower."""
    rng = np.random.default_rng(seed)
    sizes = [int(np.prod(SHAPE)), *[width] * (layers - 1), CLASSES]
    nodes = [helper.make_node("Flatten", ["smashed"], ["x0"])]
    weights = []
    for index in range(layers):
        w = rng.standard_normal((sizes[index], sizes[index + 1])).astype(np.float32) / np.sqrt(sizes[index])
        weights.append(numpy_helper.from_array(w.astype(np.float32), f"w{index}"))
        nodes.append(
            helper.make_node(
                "MatMul", [f"x{index}", f"w{index}"], ["logits" if index == layers - 1 else f"x{index + 1}"]
            )
        )
    graph = helper.make_graph(
        nodes, "tail",
        [helper.make_tensor_value_info("smashed", TensorProto.FLOAT, ["n", *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])],
        weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def tiny_coding(pad: int | None = None) -> Coding:
    """Four channels with 16, 5, 2 and 40 codes."""
    tables = tuple(
        frequencies(np.exp(-0.5 * ((np.arange(levels) - levels / 2) / (levels / 5)) ** 2).tolist())
        for levels in (16, 5, 2, 40)
    )
    return Coding(table_id(tables), (16, 5, 2, 40), (0.3, 0.8, 1.5, 0.12), (8, 2, 1, 20), tables, pad)


def tiny_signature(bundle_id: str = BUNDLE_A, version: str = "1.0", coding: Coding | None = None) -> Signature:
    shape = (-1, *SHAPE)
    codes = TensorSpec("smashed", "uint8", shape, "NCHW", (0.02, 0.03, 0.025, 0.04), (128, 120, 100, 128))
    return Signature(
        name="tail",
        version=version,
        bundle_id=bundle_id,
        labels=tuple(f"class {n}" for n in range(CLASSES)),
        inputs=(TensorSpec("smashed", "float32", shape), TensorSpec("smashed", "float16", shape), codes),
        outputs=(TensorSpec("logits", "float32", (-1, CLASSES), "NC"),),
        coding=coding,
    )


def coded_features(features: np.ndarray, coding: Coding) -> np.ndarray:
    """What arrives when features are entropy-coded: rounded to the coding's codes."""
    scale = np.float32(coding.scale).reshape(-1, 1, 1)
    zero, top = (np.float32(part).reshape(-1, 1, 1) for part in (coding.zero_point, np.subtract(coding.levels, 1)))
    return (np.clip(np.rint(features / scale) + zero, 0, top) - zero) * scale


def tiny_archive(
    folder: Path,
    name: str = "tail.mar",
    *,
    bundle_id: str = BUNDLE_A,
    version: str = "1.0",
    seed: int = 0,
    coding: Coding | None = None,
    **kind: int,
) -> Path:
    model = tiny_onnx(folder / f"{name}.onnx", seed, **kind)
    write_archive(folder / name, signature=tiny_signature(bundle_id, version, coding), model=model)
    return folder / name


def tiny_features(n: int = 1, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, *SHAPE)).astype(np.float32)


def expected_logits(archive: Path, features: np.ndarray) -> np.ndarray:
    """What onnxruntime says directly, without any of our serving code."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        archive.with_name(f"{archive.name}.onnx"), providers=["CPUExecutionProvider"]
    )
    return session.run(["logits"], {"smashed": features})[0]


class TailServer:
    """`python -m cloud_tail serve` in a process of its own."""

    def __init__(self, folder: Path, *arguments: object, python: str = sys.executable) -> None:
        ready = folder / f"ready-{time.monotonic_ns()}.json"
        self.log = ready.with_suffix(".log")
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [python, "-m", "cloud_tail", "serve", *map(str, arguments), "--port", "0", "--ready-file", str(ready)],
                stderr=stream,
                cwd=ROOT if python == sys.executable else folder,
            )
        deadline = time.monotonic() + 60
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the server did not start: {self.log.read_text()}")
            time.sleep(0.01)
        told = json.loads(ready.read_text())
        self.url: str = told["url"]
        self.port: int = told["port"]
        self.grpc_port: int | None = told["grpc_port"]

    def __enter__(self) -> TailServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(40) == 0, self.log.read_text()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert "Traceback" not in self.log.read_text(), self.log.read_text()

    def connect(self, timeout: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are; everything that comes back until the server closes."""
        with self.connect() as link:
            link.sendall(data)
            if half_close:
                link.shutdown(socket.SHUT_WR)
            return read_all(link)


def read_all(link: socket.socket) -> bytes:
    got = b""
    while part := _receive(link):
        got += part
    return got


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(65536)
    except ConnectionResetError:
        return b""


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A whole POST as bytes; header names with _ for -."""
    lines = [f"POST {path} HTTP/1.1", "Host: t", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_of(answer: bytes) -> Any:
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def header_of(answer: bytes, name: str) -> str | None:
    head = answer.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
    return next((value for key, value in (line.split(": ", 1) for line in head) if key.lower() == name.lower()), None)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def venv_python(name: str) -> Path:
    """The python of one of benchmarks/serving/setup.sh's environments; CI builds it on demand."""
    from once import once
    from require import require

    override = os.environ.get(f"PRIPRO_{name.upper()}_VENV")
    home = Path(override) if override else Path(os.environ.get("PRIPRO_VENVS", ROOT / "build" / "venvs")) / name
    setup = ROOT / "benchmarks" / "serving" / "setup.sh"
    if not override and os.environ.get("CI"):
        once(f"venv-{name}", lambda: subprocess.run([str(setup), name], check=True) and None)
    require((home / "bin" / "python").exists(), f"the environment {home}", f"benchmarks/serving/setup.sh {name}")
    return home / "bin" / "python"
