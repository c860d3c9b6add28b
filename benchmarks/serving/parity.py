"""One archive, every server: do all give the same logits for a bundle's goldens, and how far from eager torch's?

Servers with the archive's usual engine must agree on every golden, the hard ones included. Another engine adds in
another order, and so does eager torch: these are compared on the photos, and on the hard rows, whose logits are ten
times as large, the difference is only told.

benchmarks/serving/setup.sh torchserve ray
python benchmarks/serving/parity.py build/demo --out benchmarks/results/serving_parity.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import grpc
import numpy as np
from safetensors.numpy import load_file
from servers import PEERS, Running

from cloud_tail.archive import Archive, open_archive
from cloud_tail.client import TailClient
from cloud_tail.oip_messages import MESSAGES, SERVICE

GOAL = 1e-5
Ask = Callable[[str, np.ndarray], np.ndarray]


def _json(url: str, smashed: np.ndarray) -> np.ndarray:
    tensor = {"name": "smashed", "datatype": "FP32", "shape": list(smashed.shape), "data": smashed.ravel().tolist()}
    request = urllib.request.Request(
        url, json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        output = json.loads(answer.read())["outputs"][0]
    return np.array(output["data"], np.float32).reshape(output["shape"])


def _raw(url: str, smashed: np.ndarray) -> np.ndarray:
    rows = []
    for item in smashed:
        request = urllib.request.Request(url, item.tobytes(), {"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            rows.append(json.loads(answer.read())["logits"])
    return np.array(rows, np.float32)


def _grpc(address: str, name: str, smashed: np.ndarray) -> np.ndarray:
    tensor = {"name": "smashed", "datatype": "FP32", "shape": list(smashed.shape)}
    request = MESSAGES["ModelInferRequest"](model_name=name, inputs=[tensor], raw_input_contents=[smashed.tobytes()])
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=MESSAGES["ModelInferRequest"].SerializeToString,
            response_deserializer=MESSAGES["ModelInferResponse"].FromString,
        )
        answer = call(request, timeout=60)
    return np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(list(answer.outputs[0].shape))


def ways(server: str, archive: Archive, grpc_port: int) -> dict[str, Ask]:
    """How each server can be asked: a label, and a function of the server's URL and the features."""
    signature, name = archive.signature, archive.signature.name

    def binary(url: str, smashed: np.ndarray) -> np.ndarray:
        with TailClient(url, signature=signature) as client:
            return client.infer(smashed)

    found: dict[str, Ask] = {
        "/predictions, raw": lambda url, smashed: _raw(f"{url}/predictions/{name}", smashed),
        "/predictions, v2 binary": binary,
    }
    if server != "torchserve+mar":
        found["/v2, JSON"] = lambda url, smashed: _json(f"{url}/v2/models/{name}/infer", smashed)
    if server.startswith("ours"):
        found["gRPC"] = lambda url, smashed: _grpc(f"127.0.0.1:{grpc_port}", name, smashed)
    return found


def answers(port: int, name: str, smashed: np.ndarray) -> bool:
    """Whether the server is up: it answers the first golden."""
    try:
        return _raw(f"http://127.0.0.1:{port}/predictions/{name}", smashed[:1]).shape[0] == 1
    except OSError:
        return False


def main() -> None:
    """Ask every server for every golden."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--only", default="ours-ort,ours-openvino,torchserve+mar,ray")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    manifest = json.loads((given.bundle / "manifest.json").read_text())
    path = given.bundle / manifest["tail"]["archive"]["path"]
    archive = open_archive(path)
    golden = load_file(given.bundle / manifest["golden"]["expected"]["path"])
    smashed, wanted = golden["smashed"].astype(np.float32), golden["logits"]
    photo = golden["label"] >= 0
    rows, first = [], None
    for server in given.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            scratch, data = Path(folder), Path(folder) / "data"
            data.mkdir()
            (data / "bench.mar").write_bytes(path.read_bytes())
            peer = PEERS[server]
            if server.startswith("ours"):
                inner = peer.command
                peer = replace(peer, command=lambda d, s, p, inner=inner: [*inner(d, s, p), "--grpc-port", str(p + 1)])
            running = Running(peer, data, scratch, 0, lambda port: answers(port, archive.signature.name, smashed))
            try:
                for label, ask in ways(server, archive, running.port + 1).items():
                    got = ask(f"http://127.0.0.1:{running.port}", smashed)
                    first = got if first is None else first
                    same_engine = peer.engine == PEERS[given.only.split(",")[0]].engine
                    apart, eager = np.abs(got - first), np.abs(got - wanted)
                    rows.append(
                        {
                            "server": peer.server,
                            "engine": peer.engine,
                            "way": label,
                            "from_first_row": float(apart.max()),
                            "photos_from_eager": float(eager[photo].max()),
                            "hard_from_eager": float(eager[~photo].max()),
                            "passed": bool((apart.max() if same_engine else apart[photo].max()) <= GOAL),
                        }
                    )
                    print(rows[-1], file=sys.stderr)
            finally:
                running.stop()
    result = {
        "rows": rows,
        "photos": int(photo.sum()),
        "hard_rows": int((~photo).sum()),
        "largest_logit": {
            "photos": float(np.abs(wanted[photo]).max()),
            "hard_rows": float(np.abs(wanted[~photo]).max()),
        },
        "bundle_id": archive.signature.bundle_id,
        "goal_max_abs": GOAL,
        "command": " ".join(["python", *sys.argv]),
        "versions": {name: version(name) for name in ("onnxruntime", "openvino", "numpy")},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    print(json.dumps(result, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
    if not all(row["passed"] for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
