"""Entropy-coded features end to end: our server on HTTP and gRPC, beside version 1 clients and hostile ones."""

import json
import random
import threading

import grpc
import numpy as np
import pytest
from tail_tools import (
    BUNDLE_A,
    BUNDLE_B,
    TailServer,
    coded_features,
    expected_logits,
    header_of,
    json_of,
    post,
    read_all,
    status_of,
    tiny_archive,
    tiny_coding,
    tiny_features,
    tiny_signature,
)

from cloud_tail.client import TailClient
from cloud_tail.errors import BundleMismatch, WireError
from cloud_tail.oip_messages import MESSAGES, SERVICE

pytestmark = pytest.mark.slow
CODING = tiny_coding()
SIGNATURE = tiny_signature(coding=CODING)
CLOSE = {"Connection": "close"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return tiny_archive(tmp_path_factory.mktemp("archive"), coding=CODING)


@pytest.fixture(scope="module")
def server(archive, tmp_path_factory):
    with TailServer(tmp_path_factory.mktemp("server"), archive, "--grpc-port", 0) as running:
        yield running


def messages(features):
    codes = SIGNATURE.coder.clip(
        np.clip(
            np.rint(features / np.float32(CODING.scale).reshape(-1, 1, 1))
            + np.float32(CODING.zero_point).reshape(-1, 1, 1),
            0,
            255,
        ).astype(np.uint8)
    )
    return [SIGNATURE.coder.encode(item) for item in codes], codes


def v2(messages, table=CODING.table_id):
    payload = b"".join(len(message).to_bytes(4, "little") + message for message in messages)
    parameters = {"table_id": table, "binary_data_size": len(payload)}
    tensor = {"name": "smashed", "datatype": "BYTES", "shape": [len(messages)], "parameters": parameters}
    header = json.dumps({"inputs": [tensor]}).encode()
    return header + payload, {"Inference_Header_Content_Length": str(len(header))}


@pytest.mark.parametrize("signature", [None, SIGNATURE], ids=["asked", "known"])
def test_client(server, archive, signature):
    features = tiny_features(3)
    expected = expected_logits(archive, coded_features(features, CODING))
    with TailClient(server.url, bundle_id=BUNDLE_A, signature=signature) as client:
        np.testing.assert_allclose(client.infer(features, "coded"), expected, atol=1e-5)
        np.testing.assert_allclose(client.infer(messages(features)[1], "coded"), expected, atol=1e-5)
        for encoding in ("float32", "float16", "uint8"):
            assert client.infer(features, encoding).shape == (3, 10)
    with TailClient(server.url, bundle_id=BUNDLE_B) as client, pytest.raises(BundleMismatch):
        client.infer(features, "coded")


def test_a_message_alone(server, archive):
    features = tiny_features()
    (message,), _ = messages(features)
    answer = server.raw(post("/predictions/tail", message, Pripro_Table_Id=CODING.table_id, **CLOSE))
    wanted = expected_logits(archive, coded_features(features, CODING))[0]
    np.testing.assert_allclose(json_of(answer)["logits"], wanted, atol=1e-5)
    doubled = {"Pripro_Table_Id": CODING.table_id, "pripro-table-id": CODING.table_id}
    assert status_of(server.raw(post("/predictions/tail", message, **doubled, **CLOSE))) == 400


def test_json_answer_and_metadata(server, archive):
    features = tiny_features(2)
    body, headers = v2(messages(features)[0])
    told = json_of(server.raw(post("/v2/models/tail/infer", body, **headers, **CLOSE)))
    wanted = expected_logits(archive, coded_features(features, CODING))
    np.testing.assert_allclose(np.reshape(told["outputs"][0]["data"], (2, 10)), wanted, atol=1e-5)
    metadata = json_of(server.raw(b"GET /v2/models/tail HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
    assert metadata["parameters"]["table_id"] == CODING.table_id
    assert metadata["parameters"]["encodings"] == ["FP32", "FP16", "UINT8", "BYTES"]
    page = server.raw(b"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").decode()
    assert 'pripro_requests_total{encoding="coded",model="tail"}' in page


def test_refusals(server):
    (message,), _ = messages(tiny_features())
    for hostile in (b"", message[:-1], message + b"\0", b"\xff" * 500, bytes(len(message)), message[::-1]):
        for answer in (
            server.raw(post("/predictions/tail", hostile, Pripro_Table_Id=CODING.table_id, **CLOSE)),
            server.raw(_posted(v2([hostile]))),
        ):
            assert status_of(answer) == 400
            assert json_of(answer)["error"].endswith(".")
    for table in ("0" * 16, "x", "", "é"):
        body, headers = v2([message], table)
        answer = server.raw(post("/v2/models/tail/infer", body, **headers, **CLOSE))
        assert status_of(answer) == 400
        assert "table_id" in json_of(answer)["error"]


def _posted(made):
    body, headers = made
    return post("/v2/models/tail/infer", body, **headers, **CLOSE)


def test_padded_messages(tmp_path):
    coding = tiny_coding(pad=60)
    archive = tiny_archive(tmp_path, coding=coding)
    features = tiny_features(40) * np.linspace(0.05, 30, 40, dtype=np.float32).reshape(-1, 1, 1, 1)
    signature = tiny_signature(coding=coding)
    with TailServer(tmp_path, archive) as server, TailClient(server.url) as client:
        small = features[:10]
        expected = expected_logits(archive, coded_features(small, coding))
        np.testing.assert_allclose(client.infer(small, "coded"), expected, atol=1e-5)
        assert client.infer(features, "coded").shape == (40, 10)
        plain = SIGNATURE.coder.encode(messages(small[:1])[1][0])
        answer = server.raw(post("/predictions/tail", plain, Pripro_Table_Id=coding.table_id, **CLOSE))
        assert "60 bytes" in json_of(answer)["error"]
    assert {len(signature.coder.encode(codes)) for codes in messages(features)[1]} == {60}


def test_grpc(server, archive):
    features = tiny_features(2)
    coded, _ = messages(features)
    wanted = expected_logits(archive, coded_features(features, CODING))
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=MESSAGES["ModelInferRequest"].SerializeToString,
            response_deserializer=MESSAGES["ModelInferResponse"].FromString,
        )

        def infer(*, raw=None, contents=None, table=CODING.table_id, shape=(2,)):
            tensor = {"name": "smashed", "datatype": "BYTES", "shape": list(shape)}
            if table is not None:
                tensor["parameters"] = {"table_id": {"string_param": table}}
            if contents is not None:
                tensor["contents"] = {"bytes_contents": contents}
            asked = MESSAGES["ModelInferRequest"](
                model_name="tail", inputs=[tensor], raw_input_contents=[] if raw is None else [raw]
            )
            return np.frombuffer(call(asked, timeout=20).raw_output_contents[0], "<f4").reshape(-1, 10)

        payload = b"".join(len(message).to_bytes(4, "little") + message for message in coded)
        np.testing.assert_allclose(infer(raw=payload), wanted, atol=1e-5)
        np.testing.assert_allclose(infer(contents=coded), wanted, atol=1e-5)
        for wrong in (
            {"raw": payload[:-1]},
            {"raw": payload, "table": None},
            {"raw": payload, "table": "0" * 16},
            {"raw": payload, "shape": (1,)},
            {"contents": [coded[0], b"\xff" * 30]},
            {"contents": coded[:1]},
        ):
            with pytest.raises(grpc.RpcError) as caught:
                infer(**wrong)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_hostile_messages_beside_good_ones(server, archive):
    """Three thousand broken messages on kept connections: each gets 400, and everybody else their logits."""
    rng = random.Random(3)
    features = tiny_features(1, seed=9)
    (message,), _ = messages(features)
    wanted = expected_logits(archive, coded_features(features, CODING))
    stop, wrong, good = threading.Event(), [], []

    def phone():
        with TailClient(server.url) as client:
            while not stop.is_set():
                close = np.abs(client.infer(features, "coded") - wanted).max() < 1e-5
                (good if close else wrong).append(close)

    beside = threading.Thread(target=phone)
    beside.start()
    try:
        for _ in range(30):
            hostile = []
            for _ in range(100):
                data = bytearray(rng.randbytes(rng.randrange(60)) if rng.random() < 0.3 else message)
                if data and rng.random() < 0.7:
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                else:
                    data += rng.randbytes(3)
                hostile.append(bytes(data))
            with server.connect() as link:
                sent = [post("/predictions/tail", data, Pripro_Table_Id=CODING.table_id) for data in hostile]
                sent[-1] = post("/predictions/tail", hostile[-1], Pripro_Table_Id=CODING.table_id, **CLOSE)
                link.sendall(b"".join(sent))
                answers = read_all(link)
            assert answers.count(b"HTTP/1.1 ") == 100
            assert answers.count(b"HTTP/1.1 400 ") >= 98  # one in 65,536 damaged messages is another message
            assert b"HTTP/1.1 5" not in answers
    finally:
        stop.set()
        beside.join()
    assert not wrong
    assert len(good) > 10


def test_tails_without_a_waist_say_so(tmp_path):
    with TailServer(tmp_path, tiny_archive(tmp_path)) as server, TailClient(server.url) as client:
        with pytest.raises(WireError, match="not entropy-coded"):
            client.infer(tiny_features(), "coded")
        answer = server.raw(post("/predictions/tail", b"abc", Pripro_Table_Id=CODING.table_id, **CLOSE))
        assert status_of(answer) == 400
        assert header_of(answer, "content-type") == "application/json"
