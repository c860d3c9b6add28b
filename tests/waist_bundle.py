"""A small bundle with all that schema 2 has: a waist, memoised noise, entropy-coded messages, two outputs.

Its networks are a convolution and a linear layer, but every file is real: the head runs in onnxruntime, the tail is
served. Needs neither torch nor photos, so that the phone libraries' tests can make it where only the tail is installed.
"""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

IMAGE, CUT, WAIST = (3, 8, 8), (8, 2, 2), (6, 2, 2)
MASK, VECTOR = (3, 4, 4), (5,)
LABELS = ["ground", "plant", "sky"]
LEVELS, ZERO, STEP = 7, 3, 0.75
SECRET = hashlib.sha256(b"a phone").digest()
#: photos as [n,8,8,3] bytes, the size of the head's input, so that preparing them changes no pixel
PHOTOS = "photos.rgb"
ROWS = 6


def make(out: Path) -> None:
    """Write the bundle into `out`, and the goldens' photos as PHOTOS beside its manifest."""
    from bundle_files import ref as file_ref
    from bundle_files import stand_ins
    from safetensors.numpy import save_file

    from cloud_tail.archive import write_archive
    from cloud_tail.coder import Coder
    from cloud_tail.coding import Coding, frequencies, table_id
    from cloud_tail.signature import Signature
    from cloud_tail.signature import TensorSpec as WireSpec
    from toolkit.package.noise import memoised_eps
    from toolkit.records import bundle as m

    random = np.random.default_rng(11)
    weights = _weights(random)
    head = _save(out / "head/onnx/0/head.onnx", *_head(weights))
    tail = _save(out / "tail.onnx", *_tail(weights))
    stand_ins(out)
    ref = partial(file_ref, out)

    def spec(name: str, shape: tuple[int, ...], dtype: str = "float32", batch: int = -1, **more: Any) -> m.TensorSpec:
        return m.TensorSpec(name=name, dtype=dtype, shape=[batch, *shape], **more)

    channels = WAIST[0]
    scale, zero = [STEP] * channels, [ZERO] * channels
    tables = [list(frequencies([1.0, 3.0, 9.0, 20.0, 9.0 + c, 3.0, 1.0])) for c in range(channels)]
    coding = m.Coding(
        coder="rans-1", table_id=table_id(tables), precision_bits=14, levels=[LEVELS] * channels, scale=scale,
        zero_point=zero, tables=tables,
    )  # fmt: skip
    codes = {"dtype": "uint8", "scale": scale, "zero_point": zero}
    outputs = [spec("mask", MASK), spec("vector", VECTOR, layout="NC")]
    manifest = m.Manifest(
        bundle_id="0" * 64,
        created_utc="2026-01-02T03:04:05Z",
        tools={"pripro": "0.1.0"},
        model=m.Model(source="tiny", parameters=1, weights_sha256=None, program=ref(out / "model/0/program.pt2")),
        task=m.Task(name="segment", metric="mIoU", guessed=False, settings={}),
        preprocess=m.Preprocess(channels=3, height=8, width=8, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        labels=LABELS,
        split=m.Split(
            cut="conv", image=spec("image", IMAGE), crossing=[spec("smashed", CUT)], outputs=outputs,
            head_macs=1, tail_macs=1, head_parameters=1, tail_parameters=1,
        ),
        protection=m.Protection(
            method="gaussian", settings={"scale": 0.5}, seed=1, data=None, train="waist", eps=[spec("eps", WAIST)],
            noise="memoised", weights=ref(out / "protection/0/weights.safetensors"), trains_head=True, statistics={},
            accuracy=None, wire_uint8=[spec("smashed", WAIST, **codes)],
            waist=m.Waist(shape=list(WAIST), encoder_macs=1, decoder_macs=1, decoder_parameters=1, coding=coding),
        ),
    ).with_id()  # fmt: skip

    photos = random.integers(0, 256, (ROWS, *IMAGE[1:], 3), np.uint8)
    (out / PHOTOS).write_bytes(photos.tobytes())
    mean, std = (np.float32(value).reshape(3, 1, 1) for value in (manifest.preprocess.mean, manifest.preprocess.std))
    image = np.ascontiguousarray((photos.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255) - mean) / std)
    eps = memoised_eps(SECRET, manifest.bundle_id, image, [WAIST])[0]
    smashed, crossing = _cross(weights, image, eps)
    logits = crossing.reshape(ROWS, -1) @ weights["matrix"]
    golden = out / "golden/0"
    golden.mkdir(parents=True)
    save_file({"image": image, "eps": eps, "eps_other": eps[::-1].copy()}, golden / "inputs.safetensors",
              metadata={"rows": json.dumps(["photo"] * ROWS)})  # fmt: skip
    label = np.full(ROWS, -1, np.int64)
    save_file({"smashed": crossing, "logits": logits, "label": label}, golden / "expected.safetensors")
    coder = Coder(Coding.from_dict(coding.model_dump()), WAIST)
    messages = {f"message_{i}": np.frombuffer(coder.encode(row), np.uint8) for i, row in enumerate(smashed)}
    save_file(messages, golden / "messages.safetensors")

    taken = [spec("smashed", WAIST), spec("smashed", WAIST, "float16"), manifest.protection.wire_uint8[0]]
    answer = manifest.split.logits
    signature = Signature(
        "tiny", "1.0", manifest.bundle_id, (),
        tuple(WireSpec(one.name, one.dtype, tuple(one.shape), one.layout, one.scale and tuple(one.scale),
                       one.zero_point and tuple(one.zero_point)) for one in taken),
        (WireSpec("logits", "float32", tuple(answer.shape), "NC"),), Coding.from_dict(coding.model_dump()),
    )  # fmt: skip
    archive = out / "tail/0/tiny.mar"
    archive.parent.mkdir(parents=True)
    write_archive(archive, signature=signature, model=tail)
    tail.unlink()
    made = manifest.model_copy(
        update={
            "heads": [
                m.Head(
                    target="onnx", precision="fp32", backend="cpu", entry="head/onnx/0/head.onnx", files=[ref(head)],
                    inputs=[spec("image", IMAGE, batch=1), spec("eps", WAIST, batch=1)],
                    outputs=[spec("smashed", WAIST, batch=1, **codes)],
                    ops_delegated=None, ops_total=None, not_run=None, tools={},
                )
            ],
            "tail": m.Tail(
                name="tiny", archive=ref(archive), route="/predictions/tiny", wire_version=2, inputs=taken,
                outputs=[answer], coding=coding,
            ),
            "golden": m.Golden(
                n=ROWS, seed=7, inputs=ref(golden / "inputs.safetensors"),
                expected=ref(golden / "expected.safetensors"),
                tolerances={"fp32": 1e-3}, secret_hex=SECRET.hex(), messages=ref(golden / "messages.safetensors"),
            ),
        }
    )  # fmt: skip
    (out / "manifest.json").write_text(made.model_dump_json(indent=2) + "\n")


def check(bundle: Any, found: list[dict[str, Any]]) -> None:
    """Compare what a phone library says of each photo with the goldens: features, message, answer, reading."""
    from safetensors.numpy import load_file

    from cloud_tail.archive import open_archive
    from cloud_tail.wire import encode_coded_request

    golden = bundle.manifest.golden
    expected, messages = load_file(bundle.path(golden.expected)), load_file(bundle.path(golden.messages))
    signature = open_archive(bundle.path(bundle.manifest.tail.archive)).signature
    assert len(found) == golden.n == ROWS
    for row, told in enumerate(found):
        smashed = expected["smashed"][row : row + 1]
        # equal to the last bit only if the photo, its noise and the head's codes are those of the goldens
        np.testing.assert_array_equal(np.float32(told["smashed"]), smashed.ravel())
        np.testing.assert_allclose(told["logits"], expected["logits"][row], atol=1e-5)
        body = encode_coded_request(smashed, signature, bundle.manifest.bundle_id)[1]
        assert body.endswith(messages[f"message_{row}"].tobytes())
        assert told["bytes_sent"] == len(body)
        assert told["outputs"] == ["mask", "vector"]
        mask = expected["logits"][row][: int(np.prod(MASK))].reshape(MASK).argmax(0)
        assert told["classes"] == mask.ravel().tolist()
        assert any(label in told["lines"][0] for label in LABELS)


def _weights(random: np.random.Generator) -> dict[str, np.ndarray]:
    answers = int(np.prod(MASK) + np.prod(VECTOR))
    column = (WAIST[0], 1, 1)
    return {
        "kernel": (random.standard_normal((WAIST[0], IMAGE[0], 4, 4)) * 0.15).astype(np.float32),
        "sigma": np.float32([0.5]),
        "step": np.full(column, STEP, np.float32),
        "zero": np.full(column, ZERO, np.float32),
        "least": np.float32([0]),
        "most": np.float32([LEVELS - 1]),
        "matrix": random.standard_normal((int(np.prod(WAIST)), answers)).astype(np.float32),
    }


def _cross(weights: dict[str, np.ndarray], image: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The head in numpy: its codes [n,6,2,2], and the features that they stand for."""
    patches = image.reshape(len(image), IMAGE[0], 2, 4, 2, 4)
    features = np.einsum("nchawb,ocab->nohw", patches, weights["kernel"]) + weights["sigma"] * eps
    exact = features / weights["step"]
    # far enough from the middle between two codes that every runtime's last bits give the same
    assert np.abs(np.abs(exact - np.floor(exact)) - 0.5).min() > 1e-4
    codes = np.clip(np.rint(exact) + ZERO, 0, LEVELS - 1).astype(np.uint8)
    return codes, ((codes.astype(np.float32) - ZERO) * np.float32(STEP)).astype(np.float32)


def _head(weights: dict[str, np.ndarray]) -> tuple[Any, ...]:
    from onnx import TensorProto, helper

    steps = [
        ("Conv", ["image", "kernel"], "features", {"strides": [4, 4]}), ("Mul", ["eps", "sigma"], "noise", {}),
        ("Add", ["features", "noise"], "noisy", {}), ("Div", ["noisy", "step"], "exact", {}),
        ("Round", ["exact"], "whole", {}), ("Add", ["whole", "zero"], "moved", {}),
        ("Max", ["moved", "least"], "above", {}), ("Min", ["above", "most"], "within", {}),
        ("Cast", ["within"], "smashed", {"to": TensorProto.UINT8}),
    ]  # fmt: skip
    nodes = [helper.make_node(kind, given, [made], **more) for kind, given, made, more in steps]
    held = {name: value for name, value in weights.items() if name != "matrix"}
    return nodes, [("image", [1, *IMAGE]), ("eps", [1, *WAIST])], ("smashed", TensorProto.UINT8, [1, *WAIST]), held


def _tail(weights: dict[str, np.ndarray]) -> tuple[Any, ...]:
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Flatten", ["smashed"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["logits"]),
    ]
    made = ("logits", TensorProto.FLOAT, ["n", weights["matrix"].shape[1]])
    return nodes, [("smashed", ["n", *WAIST])], made, {"matrix": weights["matrix"]}


def _save(
    path: Path, nodes: list[Any], inputs: list[Any], output: tuple[Any, ...], held: dict[str, np.ndarray]
) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(*output)], [numpy_helper.from_array(value, key) for key, value in held.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
