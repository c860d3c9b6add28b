"""The Python side of SplitKit's tests: a small real bundle, and a network that misbehaves.

ios_peer.py bundle OUT        a bundle with an ONNX head, a served tail, goldens; OUT/slow.mar beside it
ios_peer.py waist OUT         a bundle with a waist, memoised noise and two outputs; see waist_bundle.py
ios_peer.py head FILE         a head that answers on stdin and stdout: image and eps as float32, then its output's bytes
ios_peer.py record BUNDLE OUT what onnxruntime makes of the goldens, as splitkit-parity --smashed reads it
ios_peer.py proxy PORT MODE   stands between client and server, prints its own port, and misbehaves
"""

import contextlib
import json
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

IMAGE, SMASHED, CLASSES = (3, 8, 8), (4, 4, 4), 10
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def make_bundle(out: Path) -> None:
    """Write a bundle whose networks are a convolution and a linear layer, but whose every file is real."""
    import onnx
    from bundle_files import ref as file_ref
    from bundle_files import stand_ins
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import save_file

    from cloud_tail.archive import write_archive
    from cloud_tail.signature import Signature
    from cloud_tail.signature import TensorSpec as WireSpec
    from toolkit.records import bundle as m

    random = np.random.default_rng(7)

    def save(name, nodes, inputs, output, weights):
        def info(key, shape):
            return helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)

        held = [numpy_helper.from_array(value, key) for key, value in weights.items()]
        graph = helper.make_graph(nodes, name, [info(*item) for item in inputs], [info(*output)], held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return path

    def floats(*shape):
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    kernel = floats(SMASHED[0], IMAGE[0], 2, 2)
    matrix = floats(int(np.prod(SMASHED)), CLASSES)
    head = save(
        "head/onnx/0/head.onnx",
        [
            helper.make_node("Conv", ["image", "kernel"], ["features"], strides=[2, 2]),
            helper.make_node("Mul", ["eps", "sigma"], ["noise"]),
            helper.make_node("Add", ["features", "noise"], ["smashed"]),
        ],
        [("image", [1, *IMAGE]), ("eps", [1, *SMASHED])],
        ("smashed", [1, *SMASHED]),
        {"kernel": kernel, "sigma": np.float32([0.5])},
    )
    flat = helper.make_node("Flatten", ["smashed"], ["flat"])
    tail = save(
        "tail.onnx",
        [flat, helper.make_node("MatMul", ["flat", "matrix"], ["logits"])],
        [("smashed", ["n", *SMASHED])],
        ("logits", ["n", CLASSES]),
        {"matrix": matrix},
    )
    slow = save(
        "slow.onnx",
        [flat, *_slow_nodes(helper, TensorProto), helper.make_node("MatMul", ["late", "matrix"], ["logits"])],
        [("smashed", ["n", *SMASHED])],
        ("logits", ["n", CLASSES]),
        {"matrix": matrix, "turn": floats(64, 64), "trips": np.int64(20_000), "go": np.bool_(True)},
    )

    rows = 3
    image, eps, other = floats(rows, *IMAGE), floats(rows, *SMASHED), floats(rows, *SMASHED)
    patches = image.reshape(rows, IMAGE[0], 4, 2, 4, 2)
    smashed = np.einsum("nchawb,ocab->nohw", patches, kernel) + 0.5 * eps
    logits = smashed.reshape(rows, -1) @ matrix
    golden = out / "golden/0"
    golden.mkdir(parents=True)
    save_file({"image": image, "eps": eps, "eps_other": other}, golden / "inputs.safetensors")
    label = logits.argmax(1).astype(np.int64)
    save_file(
        {"smashed": smashed.astype(np.float32), "logits": logits.astype(np.float32), "label": label},
        golden / "expected.safetensors",
    )
    stand_ins(out)
    ref = partial(file_ref, out)

    def spec(name, shape, dtype="float32", **more):
        return m.TensorSpec(name=name, dtype=dtype, shape=shape, **more)

    wire = [spec("smashed", [-1, *SMASHED])]
    wire.append(spec("smashed", [-1, *SMASHED], "float16"))
    wire.append(
        spec("smashed", [-1, *SMASHED], "uint8", scale=[0.03, 0.025, 0.04, 0.0311], zero_point=[128, 120, 131, 127])
    )
    answer = spec("logits", [-1, CLASSES], layout="NC")
    image_spec, eps_spec = spec("image", [1, *IMAGE]), spec("eps", [1, *SMASHED])

    made = m.Manifest(
        bundle_id="0" * 64,
        created_utc="2026-01-02T03:04:05Z",
        tools={"pripro": "0.1.0"},
        model=m.Model(source="tiny", parameters=688, weights_sha256=None, program=ref(out / "model/0/program.pt2")),
        preprocess=m.Preprocess(channels=3, height=8, width=8, mean=MEAN, std=STD),
        labels=[f"digit {index}" for index in range(CLASSES)],
        split=m.Split(
            cut="conv", image=image_spec, crossing=[wire[0]], outputs=[answer],
            head_macs=768, tail_macs=640, head_parameters=48, tail_parameters=640,
        ),
        protection=m.Protection(
            method="gaussian", settings={"scale": 0.5}, seed=1, data=None, eps=[eps_spec],
            weights=ref(out / "protection/0/weights.safetensors"), trains_head=False, statistics={}, accuracy=None,
            wire_uint8=[wire[2]],
        ),
    ).with_id()  # fmt: skip

    def archive(path: Path, model: Path) -> m.FileRef:
        path.parent.mkdir(parents=True, exist_ok=True)
        inputs = tuple(
            WireSpec(
                s.name,
                s.dtype,
                tuple(s.shape),
                s.layout,
                s.scale and tuple(s.scale),
                s.zero_point and tuple(s.zero_point),
            )
            for s in wire
        )
        outputs = (WireSpec("logits", "float32", (-1, CLASSES), "NC"),)
        signature = Signature("tiny", "1.0", made.bundle_id, tuple(made.labels), inputs, outputs)
        write_archive(path, signature=signature, model=model)
        model.unlink()
        return ref(path)

    archive(out / "slow.mar", slow)
    final = made.model_copy(
        update={
            "heads": [
                m.Head(
                    target="onnx", precision="fp32", backend="cpu", entry="head/onnx/0/head.onnx", files=[ref(head)],
                    inputs=[image_spec, eps_spec], outputs=[spec("smashed", [1, *SMASHED])],
                    ops_delegated=None, ops_total=None, not_run=None, tools={"onnx": onnx.__version__},
                )
            ],
            "tail": m.Tail(
                name="tiny", archive=archive(out / "tail/0/tiny.mar", tail), route="/predictions/tiny", wire_version=1,
                inputs=wire, outputs=[answer],
            ),
            "golden": m.Golden(
                n=rows, seed=7, inputs=ref(golden / "inputs.safetensors"),
                expected=ref(golden / "expected.safetensors"),
                tolerances={"fp32": 1e-3},
            ),
        }
    )  # fmt: skip
    (out / "manifest.json").write_text(final.model_dump_json(indent=2) + "\n")


def _slow_nodes(helper, proto):
    """A loop of small products: seconds of work from a few kilobytes."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_out"]),
            helper.make_node("MatMul", ["h", "turn"], ["turned"]),
            helper.make_node("Tanh", ["turned"], ["h_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", proto.INT64, []),
            helper.make_tensor_value_info("on", proto.BOOL, []),
            helper.make_tensor_value_info("h", proto.FLOAT, ["n", 64]),
        ],
        [
            helper.make_tensor_value_info("on_out", proto.BOOL, []),
            helper.make_tensor_value_info("h_out", proto.FLOAT, ["n", 64]),
        ],
    )
    return [helper.make_node("Loop", ["trips", "go", "flat"], ["late"], body=body)]


def record(bundle: Path, out: Path) -> None:
    """Run the bundle's fp32 ONNX head on its goldens with onnxruntime."""
    import onnxruntime
    from safetensors.numpy import load_file, save_file

    manifest = json.loads((bundle / "manifest.json").read_bytes())
    head = next(h for h in manifest["heads"] if h["target"] == "onnx" and h["precision"] == "fp32")
    session = onnxruntime.InferenceSession(bundle / head["entry"], providers=["CPUExecutionProvider"])
    inputs = load_file(bundle / manifest["golden"]["inputs"]["path"])
    names = [item.name for item in session.get_inputs()]
    rows = [
        session.run(None, {name: inputs[name][row : row + 1] for name in names})[0]
        for row in range(manifest["golden"]["n"])
    ]
    about = {key: head[key] for key in ("target", "precision", "backend")}
    about |= {"bundle_id": manifest["bundle_id"], "runtime": f"onnxruntime {onnxruntime.__version__}"}
    save_file({"smashed": np.concatenate(rows)}, out, metadata=about)


def head(file: Path) -> None:
    """Run a head for another process, for as long as its stdin gives one image and one eps after the other."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    while True:
        feed = {}
        for item in session.get_inputs():
            wanted = 4 * int(np.prod(item.shape))
            data = sys.stdin.buffer.read(wanted)
            if len(data) < wanted:
                return
            feed[item.name] = np.frombuffer(data, "<f4").reshape(item.shape)
        sys.stdout.buffer.write(session.run(None, feed)[0].tobytes())
        sys.stdout.buffer.flush()


def proxy(port: int, mode: str) -> None:
    """Pass one server's bytes on, badly."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        if mode == "count":
            print("+", flush=True)
            threading.Thread(target=_pass_on, args=(client, port), daemon=True).start()
            continue
        threading.Thread(target=_serve, args=(client, port, mode), daemon=True).start()


def _pass_on(client: socket.socket, port: int) -> None:
    """Pass a connection's bytes on both ways for as long as it lives."""
    with client, socket.create_connection(("127.0.0.1", port)) as server:

        def copy(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while piece := source.recv(1 << 16):
                    sink.sendall(piece)
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=copy, args=(server, client), daemon=True)
        back.start()
        copy(client, server)
        back.join()


def _serve(client: socket.socket, port: int, mode: str) -> None:
    with client:
        if mode == "drop-request":
            client.recv(100)
            return
        if mode == "hang":
            _read_request(client)
            time.sleep(60)
            return
        if mode == "redirect":
            _read_request(client)
            client.sendall(
                b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%d/elsewhere\r\nContent-Length: 0\r\n\r\n" % port
            )
            return
        if mode == "flood":
            _read_request(client)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            try:
                while True:
                    client.sendall(bytes(1 << 16))
            except OSError:
                return
        request = _read_request(client)
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(request)
            answer = _read_message(server)
        if mode == "drop-answer":
            client.sendall(answer[: len(answer) // 2])
        elif mode == "trickle":
            step = max(1, len(answer) // 10)
            for start in range(0, len(answer), step):
                client.sendall(answer[start : start + step])
                time.sleep(0.05)
        else:
            client.sendall(answer)


def _read_request(client: socket.socket) -> bytes:
    return _read_message(client)


def _read_message(peer: socket.socket) -> bytes:
    """Read one HTTP message that names its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(1 << 16)
        if not piece:
            return data
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"100-continue" in lines.get(b"expect", b""):
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    missing = int(lines.get(b"content-length", b"0")) - len(rest)
    while missing > 0:
        piece = peer.recv(min(missing, 1 << 16))
        if not piece:
            break
        data += piece
        missing -= len(piece)
    return data


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    if verb == "bundle":
        make_bundle(Path(rest[0]))
    elif verb == "waist":
        import waist_bundle

        waist_bundle.make(Path(rest[0]))
    elif verb == "head":
        head(Path(rest[0]))
    elif verb == "record":
        record(Path(rest[0]), Path(rest[1]))
    elif verb == "proxy":
        proxy(int(rest[0]), rest[1])
    else:
        raise SystemExit(f"there is no {verb}")
