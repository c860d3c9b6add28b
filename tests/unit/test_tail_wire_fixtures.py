"""The golden wire bytes: what the phones must send is what Python sends, and what they must refuse is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from cloud_tail.calls import read_call
from cloud_tail.coding import Coding
from cloud_tail.errors import WireError
from cloud_tail.signature import Signature, TensorSpec
from cloud_tail.wire import decode_response, dequantise, encode_coded_request, encode_request, quantise

HERE = Path(__file__).parents[1] / "contract" / "wire"
CASES = json.loads((HERE / "cases.json").read_text())
CODED = json.loads((HERE / "coded.json").read_text())


def by_name(kind, cases=CASES):
    return pytest.mark.parametrize("case", cases[kind], ids=lambda case: case["name"])


def spec_of(raw):
    return TensorSpec(**{key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()})


def values_of(case):
    dtype = np.uint8 if case["values"].endswith(".u8") else np.dtype("<f4")
    return np.frombuffer((HERE / case["values"]).read_bytes(), dtype).reshape(case["shape"])


@by_name("requests")
def test_request_bytes(case):
    headers, body = encode_request(values_of(case), spec_of(case["spec"]), case["bundle_id"])
    assert headers == case["headers"]
    assert body == (HERE / case["body"]).read_bytes()
    assert headers["Inference-Header-Content-Length"] == str(case["header_length"])


class _Tail:
    def __init__(self, signature):
        self.signature = signature


@by_name("requests")
def test_the_server_reads_what_was_meant(case):
    spec = spec_of(case["spec"])
    tail = _Tail(
        Signature("tail", "1.0", "0123456789abcdef" * 4, (), (spec,), (TensorSpec("logits", "float32", (-1, 2), "NC"),))
    )
    headers = {name.lower(): value for name, value in case["headers"].items()}
    call, chosen = read_call(headers, (HERE / case["body"]).read_bytes(), [tail], raw=False)
    assert chosen is tail
    sent = values_of(case)
    if spec.dtype == "uint8":
        expected = sent if sent.dtype == np.uint8 else quantise(sent, spec)
        np.testing.assert_array_equal(call.array, expected)
        again = dequantise(call.array, spec)
        np.testing.assert_array_equal(quantise(again, spec), expected)
    else:
        assert call.array.tobytes() == sent.astype(call.array.dtype).tobytes()


@by_name("refused_requests")
def test_a_request_that_must_not_be_sent(case):
    with pytest.raises(WireError):
        encode_request(values_of(case), spec_of(case["spec"]), None)


def coded_signature(case):
    spec = TensorSpec("smashed", "float32", tuple(case["coded_shape"]), case["layout"])
    logits = TensorSpec("logits", "float32", (-1, 2), "NC")
    return Signature("tail", "1.0", "0123456789abcdef" * 4, (), (spec,), (logits,), Coding.from_dict(case["coding"]))


@by_name("requests", CODED)
def test_coded_request_bytes(case):
    headers, body = encode_coded_request(values_of(case), coded_signature(case), case["bundle_id"])
    assert headers == case["headers"]
    assert body == (HERE / case["body"]).read_bytes()
    assert headers["Inference-Header-Content-Length"] == str(case["header_length"])


@by_name("requests", CODED)
def test_the_server_decodes_what_was_meant(case):
    signature = coded_signature(case)
    headers = {name.lower(): value for name, value in case["headers"].items()}
    call, _ = read_call(headers, (HERE / case["body"]).read_bytes(), [_Tail(signature)], raw=False)
    assert call.encoding == "coded"
    assert len(call.array) == case["shape"][0]
    sent, coding = values_of(case), signature.coding
    axis = 1 if case["layout"] == "NCHW" else sent.ndim - 1
    along = [1] * sent.ndim
    along[axis] = -1
    scale, zero, levels = (
        np.reshape(part, along) for part in (np.float32(coding.scale), coding.zero_point, coding.levels)
    )
    codes = sent
    if sent.dtype != np.uint8:
        with np.errstate(over="ignore"):
            codes = np.clip(np.rint(sent / scale) + zero.astype(np.float32), 0, levels - 1).astype(np.uint8)
    np.testing.assert_array_equal(call.array.decode(), codes)
    np.testing.assert_array_equal(call.features(), (codes.astype(np.float32) - zero) * scale)


@by_name("refused_requests", CODED)
def test_a_coded_request_that_must_not_be_sent(case):
    with pytest.raises(WireError):
        encode_coded_request(values_of(case), coded_signature(case), None)


@by_name("responses")
def test_response(case):
    logits = decode_response(case["headers"], (HERE / case["body"]).read_bytes())
    assert logits.shape == tuple(case["shape"])
    assert logits.tobytes() == (HERE / case["logits"]).read_bytes()


@by_name("refused_responses")
def test_a_response_that_must_be_refused(case):
    with pytest.raises(WireError):
        decode_response(case["headers"], (HERE / case["body"]).read_bytes())


def test_rounding_is_in_float32():
    """The trap case is one: float64 division gives other codes."""
    case = next(case for case in CASES["requests"] if case["name"] == "uint8-float32-division")
    values, spec = values_of(case), spec_of(case["spec"])
    wide = np.clip(np.rint(values.astype(np.float64) / spec.scale[0]) + spec.zero_point[0], 0, 255).astype(np.uint8)
    assert (wide != quantise(values, spec)).mean() > 0.5


def test_every_file_is_listed():
    listed = {
        case[key]
        for kind in (*CASES.values(), *CODED.values())
        if isinstance(kind, list)
        for case in kind
        for key in ("values", "body", "logits")
        if key in case
    }
    there = {path.name for path in HERE.iterdir() if path.suffix in (".bin", ".f32", ".u8")}
    assert listed == there
