"""The codec under arbitrary input: what is well formed survives both ways, all else is a WireError and nothing more."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tail_tools import BUNDLE_A, BUNDLE_B, SHAPE, tiny_features, tiny_signature

from cloud_tail.calls import pick, read_call, refusal
from cloud_tail.errors import ArchiveError, BundleMismatch, WireError
from cloud_tail.server_codec import encode_response, parse_request
from cloud_tail.signature import Signature
from cloud_tail.wire import decode_response, dequantise, encode_request, quantise

SIGNATURE = tiny_signature()


class Tail:
    def __init__(self, signature=SIGNATURE):
        self.signature = signature


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


finite = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=1).map(lambda n: (n[0], *SHAPE)),
    elements=st.floats(-60000, 60000, width=16),
)


@given(finite, st.sampled_from(["float32", "float16", "uint8"]))
@settings(max_examples=60, deadline=None)
def test_round_trip(features, encoding):
    spec = SIGNATURE.encoding(encoding)
    headers, body = encode_request(features, spec, BUNDLE_A)
    call, _ = read_call(lower(headers), body, [Tail()], raw=False)
    if encoding == "uint8":
        np.testing.assert_array_equal(call.array, quantise(features, spec))
    else:
        np.testing.assert_array_equal(call.array.astype(np.float32), features)  # 16-bit values are exact in both


@given(st.lists(st.floats(-2.5, 2.5, width=32), min_size=36, max_size=36))
@settings(max_examples=60, deadline=None)
def test_quantisation_error_is_half_a_step(values):
    spec = SIGNATURE.encoding("uint8")
    features = np.array(values, np.float32).reshape(1, *SHAPE)
    scale = np.array(spec.scale, np.float32).reshape(1, -1, 1, 1)
    zero = np.array(spec.zero_point).reshape(1, -1, 1, 1)
    inside = np.clip(features, (0 - zero) * scale, (255 - zero) * scale).astype(np.float32)
    assert (np.abs(dequantise(quantise(features, spec), spec) - inside) <= scale * 0.5001).all()


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_mutated_requests(data):
    """Flip, cut, insert anywhere: refused, or still a request that says exactly what its bytes say."""
    headers, body = encode_request(
        tiny_features(), SIGNATURE.encoding(data.draw(st.sampled_from(["float32", "uint8"]))), BUNDLE_A
    )
    edited = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(edited) - 1)))
        match data.draw(st.sampled_from(["set", "cut", "insert", "drop"])):
            case "set":
                edited[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
            case "cut":
                del edited[at:]
            case "insert":
                edited[at:at] = data.draw(st.binary(max_size=9))
            case "drop":
                del edited[at : at + data.draw(st.integers(1, 9))]
    length = data.draw(
        st.one_of(
            st.just(headers["Inference-Header-Content-Length"]), st.integers(-3, 400).map(str), st.text(max_size=5)
        )
    )
    try:
        call, _ = read_call(
            {"inference-header-content-length": length}, bytes(edited), [Tail()], raw=data.draw(st.booleans())
        )
    except WireError as error:
        status, text = refusal(error)
        assert status in (400, 409)
        assert json.loads(text)["error"]
        return
    assert call.array.shape[1:] == SHAPE
    assert np.isfinite(call.array.astype(np.float32)).all()


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["smashed", "FP32", "UINT8", "logits", BUNDLE_A]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "inputs",
                    "outputs",
                    "name",
                    "datatype",
                    "shape",
                    "parameters",
                    "data",
                    "binary_data_size",
                    "id",
                    "bundle_id",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(json_like, st.binary(max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_json(value, tail):
    text = json.dumps(value).encode()
    for length, body in ((None, text), (len(text), text + tail)):
        try:
            request = parse_request(body, length)
        except WireError:
            continue
        assert request.datatype in ("FP32", "FP16", "UINT8")


def good_header(**change):
    tensor = {"name": "smashed", "datatype": "FP32", "shape": [1, *SHAPE], "data": tiny_features().ravel().tolist()}
    tensor.update(
        {key: value for key, value in change.items() if key in ("name", "datatype", "shape", "data", "parameters")}
    )
    return {"inputs": [tensor], **{key: value for key, value in change.items() if key in ("outputs", "id", "inputs")}}


REFUSED = {
    "no inputs": {"inputs": []},
    "two inputs": {"inputs": [1, 2]},
    "other name": {"name": "x"},
    "unknown datatype": {"datatype": "BYTES"},
    "datatype is a list": {"datatype": ["FP32"]},
    "shape zero": {"shape": [0, *SHAPE]},
    "shape negative": {"shape": [-1, *SHAPE]},
    "shape float": {"shape": [1.0, *SHAPE]},
    "shape bool": {"shape": [True, *SHAPE]},
    "shape huge": {"shape": [1 << 62, *SHAPE]},
    "shape product wraps": {"shape": [1 << 30, 1 << 30, 1 << 30, 16]},
    "shape rank": {"shape": [1] * 9},
    "another shape": {"shape": [1, 3, 4, 3]},
    "data too short": {"data": [1.0]},
    "data not numbers": {"data": ["1"] * 36},
    "data booleans": {"data": [True] * 36},
    "data NaN": {"data": [float("nan")] * 36},
    "data infinite": {"data": [1e39] * 36},
    "data huge integer": {"data": [10**400] * 36},
    "data unevenly nested": {"data": [[1.0] * 18, [1.0] * 17]},
    "uint8 out of range": {"datatype": "UINT8", "data": [256] * 36},
    "uint8 fraction": {"datatype": "UINT8", "data": [1.5] * 36},
    "fp16 overflow": {"datatype": "FP16", "data": [70000.0] * 36},
    "many outputs": {"outputs": [{"name": "logits"}] * 1000},
    "other output": {"outputs": [{"name": "x"}]},
    "classification": {"outputs": [{"name": "logits", "parameters": {"classification": 3}}]},
    "binary_data is no flag": {"outputs": [{"name": "logits", "parameters": {"binary_data": "yes"}}]},
    "parameters is a list": {"parameters": [1]},
    "id is a number": {"id": 5},
    "id too long": {"id": "x" * 257},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    body = json.dumps(good_header(**REFUSED[kind])).encode()
    with pytest.raises(WireError) as caught:
        read_call({}, body, [Tail()], raw=False)
    assert "\n" not in str(caught.value)


def test_nested_and_flat_data_are_the_same():
    nested = good_header(data=tiny_features().tolist())
    for header in (nested, good_header()):
        call, _ = read_call({}, json.dumps(header).encode(), [Tail()], raw=False)
        np.testing.assert_array_equal(call.array, tiny_features())


def test_bundles():
    old, new = Tail(tiny_signature(BUNDLE_A)), Tail(tiny_signature(BUNDLE_B, "2.0"))
    assert pick([old, new], None) is new
    assert pick([old, new], BUNDLE_A) is old
    with pytest.raises(BundleMismatch) as caught:
        pick([old], BUNDLE_B)
    status, text = refusal(caught.value)
    assert status == 409
    assert {key: json.loads(text)[key] for key in ("expected", "got")} == {"expected": BUNDLE_A, "got": BUNDLE_B}


def test_header_and_body_must_not_name_two_bundles():
    headers, body = encode_request(tiny_features(), SIGNATURE.inputs[0], BUNDLE_A)
    with pytest.raises(WireError, match="different bundles"):
        read_call({**lower(headers), "pripro-bundle-id": BUNDLE_B}, body, [Tail()], raw=False)


@pytest.mark.parametrize("value", ["", "A1" * 32, "a1" * 31, "a1" * 33, "../" * 21 + "x"])
def test_malformed_bundle_id(value):
    with pytest.raises(WireError, match="64 lower-case hex"):
        read_call({"pripro-bundle-id": value}, b"", [Tail()], raw=True)


def test_response_both_ways():
    logits = np.linspace(-3, 3, 20, dtype=np.float32).reshape(2, 10)
    _, body = encode_request(tiny_features(2), SIGNATURE.inputs[0], None)
    request = parse_request(body, body.index(b"}]}") + 3)
    headers, answer = encode_response(logits, SIGNATURE, request)
    np.testing.assert_array_equal(decode_response(headers, answer), logits)


BAD_SIGNATURES = [
    ("name", "a b"),
    ("name", 5),
    ("version", ""),
    ("bundle_id", "xyz"),
    ("wire_version", 2),
    ("labels", ["one"]),
    ("labels", [1]),
    ("inputs", []),
    ("inputs", "x"),
    ("outputs", []),
    ("outputs", [{"name": "logits", "dtype": "float32", "shape": [-1]}]),
    ("inputs", [{"name": "smashed", "dtype": "float64", "shape": [-1, 4, 3, 3]}]),
    ("inputs", [{"name": "smashed", "dtype": ["float32"], "shape": [-1, 4, 3, 3]}]),
    ("inputs", [{"name": {}, "dtype": "float32", "shape": [-1, 4, 3, 3]}]),
    ("inputs", [{"name": "smashed", "dtype": "float32", "shape": [1, 4, 3, 3]}]),
    ("inputs", [{"name": "smashed", "dtype": "float32", "shape": [-1, 0, 3, 3]}]),
    ("inputs", [{"name": "smashed", "dtype": "float32", "shape": [-1, 1 << 40, 1 << 40]}]),
    ("inputs", [{"name": "smashed", "dtype": "uint8", "shape": [-1, 4, 3, 3]}]),
    ("inputs", [{"name": "smashed", "dtype": "uint8", "shape": [-1, 4, 3, 3], "scale": [0.0], "zero_point": [0]}]),
    ("inputs", [{"name": "smashed", "dtype": "uint8", "shape": [-1, 4, 3, 3], "scale": [10**400], "zero_point": [0]}]),
    ("inputs", [{"name": "smashed", "dtype": "uint8", "shape": [-1, 4, 3, 3], "scale": [1.0], "zero_point": [256]}]),
    (
        "inputs",
        [{"name": "smashed", "dtype": "uint8", "shape": [-1, 4, 3, 3], "scale": [1.0, 1.0], "zero_point": [0, 0]}],
    ),
    ("inputs", [{"name": "smashed", "dtype": "float32", "shape": [-1, 4, 3, 3], "extra": 1}]),
]


@pytest.mark.parametrize(("key", "value"), BAD_SIGNATURES)
def test_bad_signatures(key, value):
    raw = json.loads(SIGNATURE.to_json())
    raw[key] = value
    with pytest.raises(ArchiveError, match="is not valid"):
        Signature.from_json(json.dumps(raw))


def test_signature_round_trip():
    assert Signature.from_json(SIGNATURE.to_json()) == SIGNATURE
    assert Signature.from_json(SIGNATURE.to_json()).to_json() == SIGNATURE.to_json()
