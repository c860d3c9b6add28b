"""The same archive on the real TorchServe 0.12: same logits, same refusals, whichever way the features come."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from require import require_tool
from tail_tools import (
    BUNDLE_B,
    coded_features,
    expected_logits,
    tiny_archive,
    tiny_coding,
    tiny_features,
    tiny_signature,
    venv_python,
)

from cloud_tail.client import TailClient
from cloud_tail.errors import BundleMismatch, TailError
from cloud_tail.wire import dequantise, quantise

pytestmark = pytest.mark.slow
CODING = tiny_coding()
SIGNATURE = tiny_signature(coding=CODING)


def free_ports(count):
    links = [socket.socket() for _ in range(count)]
    for link in links:
        link.bind(("127.0.0.1", 0))
    ports = [link.getsockname()[1] for link in links]
    for link in links:
        link.close()
    return ports


@pytest.fixture(scope="module")
def torchserve(tmp_path_factory):
    """Yields TorchServe's URL and the archive that it serves."""
    require_tool("java", "apt-get install openjdk-17-jre-headless")
    bin_folder = venv_python("torchserve").parent
    folder = tmp_path_factory.mktemp("torchserve")
    store, temporary = folder / "store", folder / "tmp"
    store.mkdir()
    temporary.mkdir()
    archive = tiny_archive(store, coding=CODING)
    http, management, metrics, grpc_port, grpc_management = free_ports(5)
    (folder / "config.properties").write_text(
        f"inference_address=http://127.0.0.1:{http}\nmanagement_address=http://127.0.0.1:{management}\n"
        f"metrics_address=http://127.0.0.1:{metrics}\ngrpc_inference_port={grpc_port}\ngrpc_management_port={grpc_management}\n"
        "load_models=tail.mar\ndisable_token_authorization=true\nmetrics_mode=prometheus\ndisable_system_metrics=true\n"
    )
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "TMPDIR": str(temporary),
        "LOG_LOCATION": str(folder),
        "METRICS_LOCATION": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                bin_folder / "torchserve",
                "--start",
                "--foreground",
                "--ncs",
                "--model-store",
                store,
                "--ts-config",
                folder / "config.properties",
            ],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 90
        while not ready(management):
            assert time.monotonic() < until, (folder / "log").read_text()[-3000:]
            time.sleep(0.3)
        yield f"http://127.0.0.1:{http}", archive
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/models/tail", timeout=5) as answer:
            return json.loads(answer.read())[0]["workers"][0]["status"] == "READY"
    except OSError:
        return False


@pytest.mark.parametrize("encoding", ["float32", "float16", "uint8"])
def test_same_logits(torchserve, encoding):
    url, archive = torchserve
    features, spec = tiny_features(3), tiny_signature().encoding(encoding)
    seen = (
        dequantise(quantise(features, spec), spec)
        if encoding == "uint8"
        else features.astype(spec.dtype).astype(np.float32)
    )
    with TailClient(url, signature=tiny_signature()) as client:
        np.testing.assert_allclose(client.infer(features, encoding), expected_logits(archive, seen), atol=1e-5)
    raw = quantise(features, spec) if encoding == "uint8" else features.astype(spec.dtype)
    request = urllib.request.Request(
        f"{url}/predictions/tail", raw[:1].tobytes(), {"Content-Type": "application/octet-stream"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told = json.loads(answer.read())
    np.testing.assert_allclose(told["logits"], expected_logits(archive, seen[:1])[0], atol=1e-5)
    assert told["label"].startswith("class ")


def test_entropy_coded(torchserve):
    url, archive = torchserve
    features = tiny_features(3)
    expected = expected_logits(archive, coded_features(features, CODING))
    with TailClient(url, signature=SIGNATURE) as client:
        np.testing.assert_allclose(client.infer(features, "coded"), expected, atol=1e-5)
    message = SIGNATURE.coder.encode(SIGNATURE.coder.clip(quantise(features[:1], SIGNATURE.codes))[0])
    headers = {"Content-Type": "application/octet-stream", "Pripro-Table-Id": CODING.table_id}
    request = urllib.request.Request(f"{url}/predictions/tail", message, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        np.testing.assert_allclose(json.loads(answer.read())["logits"], expected[0], atol=1e-5)
    for hostile in (message[:-1], message + b"\x01", b"\xff" * 99, message[::-1]):
        request = urllib.request.Request(f"{url}/predictions/tail", hostile, headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        with caught.value as answer:
            assert answer.code == 400
            assert json.loads(answer.read())["error"]


def test_json(torchserve):
    url, archive = torchserve
    tensor = {"name": "smashed", "datatype": "FP32", "shape": [1, 4, 3, 3], "data": tiny_features().ravel().tolist()}
    request = urllib.request.Request(
        f"{url}/predictions/tail", json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told = json.loads(answer.read())
    np.testing.assert_allclose(told["outputs"][0]["data"], expected_logits(archive, tiny_features())[0], atol=1e-5)


def test_refusals(torchserve):
    url, _ = torchserve
    with TailClient(url, signature=tiny_signature(), bundle_id=BUNDLE_B) as client, pytest.raises(BundleMismatch):
        client.infer(tiny_features())
    for body in (b"short", np.full(36, np.nan, "<f4").tobytes()):
        request = urllib.request.Request(f"{url}/predictions/tail", body, {"Content-Type": "application/octet-stream"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        with caught.value as answer:
            assert answer.code == 400
            assert json.loads(answer.read())["error"]
    with TailClient(url, signature=tiny_signature(), model="none") as client, pytest.raises(TailError):
        client.infer(tiny_features())


def test_a_bad_request_does_not_spoil_its_batch(torchserve):
    """TorchServe batches what comes within 2 ms: good and bad ones side by side, each gets its own answer."""
    from concurrent.futures import ThreadPoolExecutor

    url, archive = torchserve

    def one(number):
        features = tiny_features(1, seed=number)
        with TailClient(url, signature=tiny_signature(), bundle_id=BUNDLE_B if number % 3 == 0 else None) as client:
            try:
                return np.abs(client.infer(features) - expected_logits(archive, features)).max() < 1e-5
            except BundleMismatch:
                return number % 3 == 0

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(60)))
