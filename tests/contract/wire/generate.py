"""Writes the golden wire fixtures beside this file: python tests/contract/wire/generate.py.

They are committed; a change of one byte is a new wire version, not a new fixture.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cloud_tail.coding import Coding, frequencies, table_id
from cloud_tail.server_codec import Request, encode_response
from cloud_tail.signature import Signature, TensorSpec
from cloud_tail.wire import encode_coded_request, encode_request

HERE = Path(__file__).parent
BUNDLE = "0123456789abcdef" * 4


def main() -> None:
    """Write every fixture file, cases.json (version 1) and coded.json (what version 2 adds)."""
    for old in (*HERE.glob("*.bin"), *HERE.glob("*.f32"), *HERE.glob("*.u8")):
        old.unlink()
    cases = {
        "schema_version": 1,
        "requests": _requests(),
        "refused_requests": _refused_requests(),
        "responses": _responses(),
        "refused_responses": _refused_responses(),
    }
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    coded = {"schema_version": 1, "requests": _coded_requests(), "refused_requests": _refused_coded_requests()}
    (HERE / "coded.json").write_text(json.dumps(coded, indent=1) + "\n")


def _spec(dtype: str, shape: tuple[int, ...], scale: tuple[float, ...] = (), zero: tuple[int, ...] = ()) -> TensorSpec:
    return TensorSpec("smashed", dtype, shape, "NCHW", scale or None, zero or None)


def _keep(name: str, values: np.ndarray) -> str:
    file = f"{name}.{'u8' if values.dtype == np.uint8 else 'f32'}"
    (HERE / file).write_bytes(values.tobytes())
    return file


def _division_traps(scale: np.float32) -> np.ndarray:
    """Values whose code depends on dividing in float32: in float64 the quotient lies just beside a half."""
    halves = (np.arange(200, dtype=np.float32) - 100 + np.float32(0.5)) * scale
    near = np.concatenate([halves, np.nextafter(halves, np.float32(9e9)), np.nextafter(halves, np.float32(-9e9))])
    single, double = np.rint(near / scale), np.rint(near.astype(np.float64) / np.float64(scale))
    return near[single != double]


def _requests() -> list[dict[str, object]]:
    rng = np.random.default_rng(20210510)
    plain = rng.standard_normal((1, 2, 3, 4)).astype(np.float32)
    plain[0, 0, 0] = [0.0, -0.0, 1e-40, -3.4e38]
    three = rng.standard_normal((3, 2, 2, 2)).astype(np.float32) * 4
    halves = np.array(
        [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 200.0, -200.0, 126.5, 127.5, -128.5, -127.5, 0.0, -0.0, 3e38, -3e38]
    )
    halves = halves.astype(np.float32).reshape(1, 2, 2, 4)
    step = np.float32(0.1)
    traps = _division_traps(step)
    traps = np.resize(traps, (1, 1, 1, len(traps)))
    subnormal = np.array(
        [6.0e-8, 2.9e-8, 2.98023224e-8, 65504.0, 65519.0, -65519.0, 1.00048828125, 1.00146484375], np.float32
    )
    rows = [
        ("fp32", plain, _spec("float32", (-1, 2, 3, 4)), BUNDLE),
        ("fp32-any-bundle", plain, _spec("float32", (-1, 2, 3, 4)), None),
        ("fp32-batch-3", three, _spec("float32", (-1, 2, 2, 2)), BUNDLE),
        ("uint8-per-channel", three, _spec("uint8", (-1, 2, 2, 2), (0.0372549019607843, 0.05), (128, 3)), BUNDLE),
        ("uint8-halves-to-even", halves, _spec("uint8", (-1, 2, 2, 4), (1.0, 0.5), (128, 0)), BUNDLE),
        ("uint8-float32-division", traps, _spec("uint8", (-1, 1, 1, traps.size), (0.1,), (128,)), BUNDLE),
        (
            "uint8-real-size",
            rng.standard_normal((1, 64, 8, 8)).astype(np.float32),
            _spec(
                "uint8",
                (-1, 64, 8, 8),
                tuple(float(x) for x in rng.uniform(0.01, 0.06, 64)),
                tuple(int(x) for x in rng.integers(0, 256, 64)),
            ),
            BUNDLE,
        ),
        (
            "uint8-codes-of-the-head",
            rng.integers(0, 256, (1, 2, 2, 2), dtype=np.uint8),
            _spec("uint8", (-1, 2, 2, 2), (0.1,), (7,)),
            BUNDLE,
        ),
        ("fp16-rounding", subnormal.reshape(1, 2, 2, 2), _spec("float16", (-1, 2, 2, 2)), BUNDLE),
        (
            "uint8-channels-last",
            np.random.default_rng(5).standard_normal((2, 5, 3)).astype(np.float32) * 9,
            TensorSpec("smashed", "uint8", (-1, 5, 3), "NTC", (0.5, 0.25, 0.1), (128, 3, 200)),
            BUNDLE,
        ),
    ]
    found = []
    for name, values, spec, bundle in rows:
        headers, body = encode_request(values, spec, bundle)
        (HERE / f"{name}.request.bin").write_bytes(body)
        found.append(
            {
                "name": name,
                "values": _keep(name, values),
                "shape": list(values.shape),
                "spec": asdict(spec),
                "bundle_id": bundle,
                "headers": headers,
                "header_length": int(headers["Inference-Header-Content-Length"]),
                "body": f"{name}.request.bin",
            }
        )
    return found


def _refused_requests() -> list[dict[str, object]]:
    good = np.ones((1, 2, 2, 2), np.float32)
    bad = {"nan": np.nan, "infinity": np.inf}
    rows = []
    for name, value in bad.items():
        values = good.copy()
        values[0, 1, 1, 1] = value
        for dtype in ("float32", "uint8"):
            spec = _spec(dtype, (-1, 2, 2, 2), *(((0.1,), (7,)) if dtype == "uint8" else ()))
            rows.append((f"refused-{dtype}-{name}", values, spec, "a value is not finite"))
    rows.append(
        (
            "refused-fp16-overflow",
            good * np.float32(65520),
            _spec("float16", (-1, 2, 2, 2)),
            "rounds to infinity in float16",
        )
    )
    rows.append(("refused-shape", good, _spec("float32", (-1, 2, 2, 3)), "the shape is not the spec's"))
    return [
        {"name": name, "values": _keep(name, values), "shape": list(values.shape), "spec": asdict(spec), "why": why}
        for name, values, spec, why in rows
    ]


def _coding(tables: list[tuple[int, ...]], scale: float, pad: int | None = None) -> Coding:
    levels = tuple(len(table) for table in tables)
    zero = tuple(count // 2 for count in levels)
    return Coding(table_id(tables), levels, (scale,) * len(tables), zero, tuple(tables), pad)


def _coded(shape: tuple[int, ...], coding: Coding, layout: str = "NCHW") -> Signature:
    plain = TensorSpec("smashed", "float32", (-1, *shape), layout)
    return Signature("tail", "1.0", BUNDLE, (), (plain,), (TensorSpec("logits", "float32", (-1, 10), "NC"),), coding)


_BELL = frequencies([1, 8, 60, 300, 900, 1400, 900, 300, 60, 8, 1])
_THREE = frequencies([1, 6, 1])


def _coded_requests() -> list[dict[str, object]]:
    """Version 2: the values are quantised to the coding's levels, coded, and sent as BYTES."""
    rng = np.random.default_rng(20261127)
    two = [_BELL, _THREE]
    plain = rng.standard_normal((1, 2, 4, 4)).astype(np.float32)
    edges = np.array([[-99, 99, -0.75, 0.75, -0.25, 0.25, 0.0, -0.0], [3e38, -3e38, 0.25, -0.25, 0.75, -0.75, 1, -1]])
    edges = edges.astype(np.float32).reshape(1, 2, 2, 4)
    rows = [
        ("coded", plain, _coded((2, 4, 4), _coding(two, 0.5)), BUNDLE),
        ("coded-any-bundle", plain, _coded((2, 4, 4), _coding(two, 0.5)), None),
        ("coded-clipped-and-halves-to-even", edges, _coded((2, 2, 4), _coding(two, 0.5)), BUNDLE),
        (
            "coded-batch-3",
            rng.standard_normal((3, 2, 4, 4)).astype(np.float32),
            _coded((2, 4, 4), _coding(two, 0.5)),
            BUNDLE,
        ),
        ("coded-padded", plain, _coded((2, 4, 4), _coding(two, 0.5, 40)), BUNDLE),
        (
            "coded-codes-of-the-head",
            rng.integers(0, 3, (1, 2, 3, 3), dtype=np.uint8),
            _coded((2, 3, 3), _coding(two, 0.5)),
            BUNDLE,
        ),
        (
            "coded-tokens",
            rng.standard_normal((1, 5, 2)).astype(np.float32),
            _coded((5, 2), _coding(two, 0.5), "NTC"),
            BUNDLE,
        ),
        (
            "coded-real-size",
            (2 * rng.standard_normal((1, 12, 8, 8))).astype(np.float32),
            _coded((12, 8, 8), _coding([_BELL] * 12, 1.0)),
            BUNDLE,
        ),
    ]
    found = []
    for name, values, signature, bundle in rows:
        headers, body = encode_coded_request(values, signature, bundle)
        (HERE / f"{name}.request.bin").write_bytes(body)
        found.append(
            {
                **_coded_case(name, values, signature),
                "bundle_id": bundle,
                "headers": headers,
                "header_length": int(headers["Inference-Header-Content-Length"]),
                "body": f"{name}.request.bin",
            }
        )
    return found


def _coded_case(name: str, values: np.ndarray, signature: Signature) -> dict[str, object]:
    coding = signature.coding
    assert coding is not None
    return {
        "name": name,
        "values": _keep(name, values),
        "shape": list(values.shape),
        "coded_shape": list(signature.inputs[0].shape),
        "layout": signature.inputs[0].layout,
        "coding": coding.to_dict(),
    }


def _refused_coded_requests() -> list[dict[str, object]]:
    coding = _coding([_BELL, _THREE], 0.5)
    good = np.zeros((1, 2, 2, 2), np.float32)
    bad = good.copy()
    bad[0, 1, 1, 1] = np.nan
    codes = np.zeros((1, 2, 2, 2), np.uint8)
    codes[0, 1, 0, 0] = 3
    rows = [
        ("refused-coded-nan", bad, (2, 2, 2), "a value is not finite"),
        ("refused-coded-shape", good, (2, 2, 3), "the shape is not the coding's"),
        ("refused-coded-code-too-large", codes, (2, 2, 2), "the second channel has the codes 0, 1 and 2"),
    ]
    return [{**_coded_case(name, values, _coded(shape, coding)), "why": why} for name, values, shape, why in rows]


def _signature(classes: int) -> Signature:
    logits = TensorSpec("logits", "float32", (-1, classes), "NC")
    return Signature("tail", "1.0", BUNDLE, (), (_spec("float32", (-1, 2, 2, 2)),), (logits,))


def _responses() -> list[dict[str, object]]:
    rng = np.random.default_rng(7)
    found = []
    for name, items, classes, identity in (
        ("response", 1, 10, None),
        ("response-batch-3", 3, 4, None),
        ("response-with-id", 1, 2, "r-1"),
    ):
        logits = rng.standard_normal((items, classes)).astype(np.float32) * 9
        headers, body = encode_response(
            logits, _signature(classes), Request(BUNDLE, identity, "FP32", (items, 2, 2, 2), b"", True)
        )
        (HERE / f"{name}.bin").write_bytes(body)
        found.append(
            {
                "name": name,
                "headers": headers,
                "body": f"{name}.bin",
                "logits": _keep(f"{name}.logits", logits),
                "shape": list(logits.shape),
            }
        )
    reordered = (
        b'{ "outputs": [ {"shape":[1,2], "parameters":{"binary_data_size":8}, "datatype":"FP32", "name":"logits"} ]'
    )
    reordered += b', "more": {"a":[1]} }\n'
    logits = np.array([[1.5, -2.0]], np.float32)
    (HERE / "response-other-order.bin").write_bytes(reordered + logits.tobytes())
    found.append(
        {
            "name": "response-other-order",
            "headers": {"inference-header-content-length": str(len(reordered))},
            "body": "response-other-order.bin",
            "logits": _keep("response-other-order.logits", logits),
            "shape": [1, 2],
        }
    )
    return found


def _refused_responses() -> list[dict[str, object]]:
    payload = struct.pack("<2f", 1.5, -2.0)

    def header(name: str = "logits", datatype: str = "FP32", shape: object = (1, 2), size: object = 8) -> bytes:
        tensor = {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
        return json.dumps({"model_name": "tail", "outputs": [tensor]}, separators=(",", ":")).encode()

    def two() -> bytes:
        raw = json.loads(header())
        return json.dumps({**raw, "outputs": raw["outputs"] * 2}).encode()

    good = header()
    rows: list[tuple[str, bytes, object, str]] = [
        ("no-length", good + payload, None, "the length header is missing"),
        ("length-zero", good + payload, 0, "a JSON header cannot be empty"),
        ("length-negative", good + payload, -5, "a length has no sign"),
        ("length-not-a-number", good + payload, "12x", "a length is digits"),
        ("length-beyond-body", good + payload, len(good) + len(payload) + 1, "longer than the body"),
        ("length-huge", good + payload, "9" * 30, "longer than any body"),
        ("length-short", good + payload, len(good) - 1, "cuts the JSON"),
        ("length-long", good + payload, len(good) + 1, "takes in the tensor's first byte"),
        ("not-json", b"{nonsense" + payload, 9, "not JSON"),
        ("not-utf8", b"\xff\xfe{}" + payload, 4, "not UTF-8"),
        ("json-array", b"[]" + payload, 2, "an object was expected"),
        ("no-outputs", b"{}" + payload, 2, "outputs are missing"),
        ("two-outputs", two() + payload, None, "one output was asked for"),
        ("other-name", header(name="probabilities") + payload, None, "not logits"),
        ("other-datatype", header(datatype="FP64") + payload, None, "not FP32"),
        ("shape-not-a-list", header(shape="1x2") + payload, None, "a shape is a list"),
        ("shape-rank-1", header(shape=(2,)) + payload, None, "[n, K] was expected"),
        ("shape-zero", header(shape=(0, 2), size=0), None, "sizes are positive"),
        ("shape-negative", header(shape=(-1, -2)) + payload, None, "sizes are positive"),
        ("shape-overflows", header(shape=(1 << 31, 1 << 31)) + payload, None, "the product wraps in 64 bits"),
        ("shape-lies", header(shape=(1, 3)) + payload, None, "12 bytes were promised"),
        ("size-missing", header(size=None) + payload, None, "binary_data_size is missing"),
        ("size-lies", header(size=4) + payload, None, "8 bytes came"),
        ("truncated", good + payload[:-1], None, "a byte is missing"),
        ("trailing", good + payload + b"\0", None, "a byte too many"),
        ("nan", good + struct.pack("<2f", float("nan"), 1), None, "not finite"),
        ("infinity", good + struct.pack("<2f", float("-inf"), 1), None, "not finite"),
        ("empty", b"", 0, "nothing came"),
    ]
    found = []
    for name, body, length, why in rows:
        file = f"refused-response-{name}.bin"
        (HERE / file).write_bytes(body)
        if length is None and name != "no-length":
            length = body.rindex(b"}") + 1
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        found.append({"name": name, "headers": headers, "body": file, "why": why})
    return found


if __name__ == "__main__":
    main()
