"""The server as a process of its own, spoken to over real sockets: right answers, refusals, limits, draining."""

import json
import shlex
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from require import require_package, require_tool
from tail_tools import (
    BUNDLE_A,
    BUNDLE_B,
    ROOT,
    TailServer,
    expected_logits,
    header_of,
    json_of,
    post,
    read_all,
    status_of,
    tiny_archive,
    tiny_features,
    tiny_onnx,
    tiny_signature,
)

from cloud_tail.archive import write_archive
from cloud_tail.client import TailClient
from cloud_tail.errors import BundleMismatch, TailError, WireError
from cloud_tail.wire import dequantise, quantise

pytestmark = pytest.mark.slow
TOKEN = "0123456789abcdef0123456789abcdef"
CLOSE = {"Connection": "close"}
RAW = {**CLOSE, "Content_Type": "application/octet-stream"}
GOOD = tiny_features().tobytes()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return tiny_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def server(archive, tmp_path_factory):
    with TailServer(tmp_path_factory.mktemp("server"), archive, "--max-body", 65536) as running:
        yield running


@pytest.mark.parametrize("encoding", ["float32", "float16", "uint8"])
def test_client_and_raw_body(server, archive, encoding):
    features, spec = tiny_features(3), tiny_signature().encoding(encoding)
    seen = (
        dequantise(quantise(features, spec), spec)
        if encoding == "uint8"
        else features.astype(spec.dtype).astype(np.float32)
    )
    with TailClient(server.url) as client:
        np.testing.assert_allclose(client.infer(features, encoding), expected_logits(archive, seen), atol=1e-5)
    sent = quantise(features, spec) if encoding == "uint8" else features.astype(spec.dtype)
    told = json_of(server.raw(post("/predictions/tail", sent[:1].tobytes(), **RAW)))
    wanted = expected_logits(archive, seen[:1])[0]
    np.testing.assert_allclose(told["logits"], wanted, atol=1e-5)
    assert told["label"] == f"class {wanted.argmax()}"
    np.testing.assert_allclose(told["probabilities"], np.exp(wanted) / np.exp(wanted).sum(), atol=1e-5)


def test_v2_json(server, archive):
    features = tiny_features(2)
    tensor = {"name": "smashed", "datatype": "FP32", "shape": list(features.shape), "data": features.ravel().tolist()}
    answer = server.raw(post("/v2/models/tail/infer", json.dumps({"id": "mine", "inputs": [tensor]}).encode(), **CLOSE))
    told = json_of(answer)
    assert (status_of(answer), told["id"], told["model_name"]) == (200, "mine", "tail")
    assert told["outputs"][0]["shape"] == [2, 10]
    np.testing.assert_allclose(told["outputs"][0]["data"], expected_logits(archive, features).ravel(), atol=1e-5)


def test_metrics_and_lists(server):
    page = server.raw(b"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").decode()
    assert 'pripro_requests_total{encoding="float32",model="tail"}' in page
    assert 'pripro_queue_items{model="tail"} 0.0' in page
    for path in (
        "/models",
        "/models/tail",
        "/signatures",
        "/v2",
        "/v2/models/tail",
        "/v2/models/tail/config",
        "/v2/models/stats",
        "/openapi.json",
    ):
        assert status_of(server.raw(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())) == 200
    assert server.raw(b"HEAD /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")


def test_the_readme_curl_line(server, tmp_path):
    curl = require_tool("curl", "apt-get install curl")
    readme = (ROOT / "cloud_tail" / "README.md").read_text()
    line = next(line.strip() for line in readme.splitlines() if line.strip().startswith("curl "))
    (tmp_path / "smashed.f32").write_bytes(GOOD)
    words = shlex.split(line.replace("http://127.0.0.1:8080", server.url))
    done = subprocess.run([curl, *words[1:]], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(json.loads(done.stdout)) == {"label", "index", "logits", "probabilities"}


@pytest.mark.parametrize(("precision", "limit"), [("f32", 1e-5), ("bf16", 0.1)])
def test_openvino(archive, tmp_path, precision, limit):
    require_package("openvino", "tail-openvino")
    if precision == "bf16" and "avx512_bf16" not in Path("/proc/cpuinfo").read_text():
        done = subprocess.run(
            [sys.executable, "-m", "cloud_tail", "serve", archive, "--engine", "openvino", "--precision", "bf16"],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, "no bf16" in done.stderr) == (2, True)
        return
    options = ("--engine", "openvino", "--precision", precision)
    with TailServer(tmp_path, archive, *options) as server, TailClient(server.url) as client:
        got = client.infer(tiny_features(9))
        np.testing.assert_allclose(got, expected_logits(archive, tiny_features(9)), atol=limit)
        assert (
            f"openvino_{precision}"
            in server.raw(b"GET /v2/models/tail HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").decode()
        )


def test_the_int8_model_is_served_only_if_asked_for(tmp_path):
    plain, other = tiny_onnx(tmp_path / "both.mar.onnx"), tiny_onnx(tmp_path / "int8.mar.onnx", seed=9)
    write_archive(tmp_path / "both.mar", signature=tiny_signature(), model=plain, int8_model=other)
    for options, like in (([], "both.mar"), (["--precision", "int8"], "int8.mar")):
        with TailServer(tmp_path, tmp_path / "both.mar", *options) as server, TailClient(server.url) as client:
            wanted = expected_logits(tmp_path / like, tiny_features())
            np.testing.assert_allclose(client.infer(tiny_features()), wanted, atol=1e-5)


def test_logs_and_counts_never_hold_what_was_sent(archive, tmp_path):
    secret = "sesame-open-0123456789"
    (tmp_path / "token").write_text(secret)
    with TailServer(tmp_path, archive, "--access-log", "--token-file", tmp_path / "token") as server:
        good = {**RAW, "Authorization": f"Bearer {secret}"}
        server.raw(post(f"/predictions/tail?key={secret}", GOOD, **good))
        server.raw(post("/predictions/tail", b"payload-" + GOOD, **good))
        server.raw(b"GET /\r\n{forged} HTTP/1.1\r\nHost: t\r\n\r\n")
        server.raw(b"POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n")
        page = server.raw(
            f"GET /metrics HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\r\n".encode()
        )
    assert b'pripro_refused_total{status="413"} 1.0' in page
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    requests = [(line["path"], line["status"]) for line in lines if line["event"] == "request"]
    assert requests[:2] == [("/predictions/tail", 200), ("/predictions/tail", 400)]
    assert ("/x", 413) in requests
    assert secret not in server.log.read_text()
    assert "payload-" not in server.log.read_text()


def test_two_bundles_under_one_name(archive, tmp_path):
    newer = tiny_archive(tmp_path, "new.mar", bundle_id=BUNDLE_B, version="2.0", seed=5)
    features = tiny_features()
    with TailServer(tmp_path, archive, newer) as server:
        for bundle, path in ((BUNDLE_A, archive), (BUNDLE_B, newer), (None, newer)):
            with TailClient(server.url, bundle_id=bundle) as client:
                np.testing.assert_allclose(client.infer(features), expected_logits(path, features), atol=1e-5)
        with TailClient(server.url, bundle_id="c3" * 32) as client, pytest.raises(BundleMismatch) as caught:
            client.infer(features)
        assert (caught.value.expected, caught.value.got) == (BUNDLE_B, "c3" * 32)


def test_token_rate_and_deadlines(archive, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    with TailServer(
        tmp_path, archive, "--token-file", tmp_path / "token", "--rate", 5, "--header-seconds", 1, "--body-seconds", 1
    ) as server:
        assert status_of(server.raw(post("/predictions/tail", GOOD, **RAW))) == 401
        assert status_of(server.raw(post("/predictions/tail", GOOD, **RAW, Authorization="Bearer wrong"))) == 401
        assert status_of(server.raw(b"GET /models HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")) == 401
        assert status_of(server.raw(b"GET /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")) == 200
        with TailClient(server.url, token=TOKEN) as client:
            assert client.infer(tiny_features()).shape == (1, 10)
        with TailClient(server.url) as client, pytest.raises(TailError, match="token"):
            client.infer(tiny_features())
        answers = [
            server.raw(post("/predictions/tail", GOOD, **RAW, Authorization=f"Bearer {TOKEN}")) for _ in range(14)
        ]
        limited = [answer for answer in answers if status_of(answer) == 429]
        assert limited
        assert int(header_of(limited[0], "Retry-After")) >= 1
        for partial in (b"GET /pi", post("/predictions/tail", GOOD, Authorization=f"Bearer {TOKEN}")[:-20]):
            time.sleep(0.4)  # for the rate limit
            started = time.monotonic()
            answer = server.raw(partial)
            assert status_of(answer) == 408
            assert 0.5 < time.monotonic() - started < 4
        with server.connect() as link:  # a sender that drips is cut off as well
            link.sendall(b"GET /ping HTTP/1.1\r\n")
            started = time.monotonic()
            with pytest.raises(OSError, match=r"reset|Broken pipe|closed"):
                drip(link, seconds=8)
            assert time.monotonic() - started < 5


def drip(link, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        link.sendall(b"X: y\r\n")
        time.sleep(0.2)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_tls(archive, tmp_path, certificate):
    with TailServer(
        tmp_path, archive, "--tls-cert", certificate / "cert.pem", "--tls-key", certificate / "key.pem"
    ) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        with TailClient(server.url, context=context) as client:
            for _ in range(3):
                np.testing.assert_allclose(
                    client.infer(tiny_features(20)), expected_logits(archive, tiny_features(20)), atol=1e-5
                )
        with TailClient(server.url) as client, pytest.raises(TailError, match="CERTIFICATE_VERIFY_FAILED"):
            client.infer(tiny_features())
        assert b"HTTP/1.1 200" not in server.raw(b"GET /ping HTTP/1.1\r\nHost: t\r\n\r\n")


def test_overload_and_drain(tmp_path):
    """A slow tail and a short queue: every request gets 200 or 503 at once; SIGTERM in the middle loses none."""
    archive = tiny_archive(tmp_path, layers=8, width=1024)  # some ms a run
    wanted = expected_logits(archive, tiny_features())
    server = TailServer(tmp_path, archive, "--queue", 2, "--max-batch", 1, "--workers", 1)
    outcomes, sent = [], []
    stop = threading.Event()

    def hammer():
        while not stop.is_set():
            try:
                with server.connect() as link:
                    sent.append(1)
                    link.sendall(post("/predictions/tail", GOOD, **RAW))
                    outcomes.append(read_all(link))
            except ConnectionRefusedError:
                return

    threads = [threading.Thread(target=hammer) for _ in range(12)]
    with server:
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        server.process.terminate()
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
    statuses = [status_of(answer) for answer in outcomes]
    assert len(outcomes) == len(sent)
    assert set(statuses) == {200, 503}, {status: statuses.count(status) for status in set(statuses)}
    assert all(header_of(answer, "Retry-After") for answer in outcomes if status_of(answer) == 503)
    for answer in outcomes:
        if status_of(answer) == 200:
            np.testing.assert_allclose(json_of(answer)["logits"], wanted[0], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required"),
        (["none.mar"], "not a file"),
        (["{archive}", "{archive}"], "given twice"),
        (["{archive}", "--engine", "tensorrt"], "choose onnxruntime or openvino"),
        (["{archive}", "--precision", "f64"], "choose f32"),
        (["{archive}", "--precision", "bf16"], "openvino"),
        (["{archive}", "--precision", "int8"], "no int8 model"),
        (["{archive}", "--port", "99999"], "0..65535"),
        (["{archive}", "--host", "203.0.113.1", "--port", "0"], "choose another"),
        (["{archive}", "--queue", "0"], "at least 1"),
        (["{archive}", "--tls-cert", "x"], "both"),
        (["{archive}", "--tls-cert", "x", "--tls-key", "y"], "PEM"),
        (["{archive}", "--token-file", "none"], "cannot be read"),
        (["{archive}", "--log-payloads"], "unrecognized"),
    ],
)
def test_command_line_errors(archive, arguments, sentence):
    given = [argument.format(archive=archive) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "cloud_tail", "serve", *given], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_client_errors(server):
    with pytest.raises(TailError, match="not a tail's URL"):
        TailClient("ftp://x")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TailClient(f"http://127.0.0.1:{port}") as client, pytest.raises(TailError, match="cannot be reached"):
        client.infer(tiny_features())
    with TailClient(server.url) as client:
        with pytest.raises(WireError, match="accepts"):
            client.infer(tiny_features(), "int4")
        with pytest.raises(WireError, match="shape"):
            client.infer(np.zeros((1, 2, 3, 3), np.float32))
    with TailClient(server.url, model="none") as client, pytest.raises(TailError, match="404"):
        client.infer(tiny_features())
