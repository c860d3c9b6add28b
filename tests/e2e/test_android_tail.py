"""The app's own client, on the JVM, against the real tail: refusals, a full queue, bad networks, golden answers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import waist_bundle
from android_tools import android_build, java
from require import require, require_tool
from safetensors.numpy import load_file
from tail_tools import TailServer

from toolkit.bundle import Bundle
from toolkit.emulated import arm64
from toolkit.package.limits import largest_difference
from toolkit.records.bundle import Head
from toolkit.records.parity import DeviceParityReport
from toolkit.verify.device import device_rows, read_device_report
from toolkit.verify.replay import load_goldens

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HEAD = ("executorch", "fp32", "xnnpack")
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def build() -> Path:
    return android_build()


@pytest.fixture(scope="module")
def bundle(demo_bundle: Path) -> Bundle:
    return Bundle.open(demo_bundle)


@pytest.fixture(scope="module")
def archive(bundle: Bundle) -> Path:
    assert bundle.manifest.tail is not None
    return bundle.path(bundle.manifest.tail.archive)


@pytest.fixture(scope="module")
def plain(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TailServer]:
    with TailServer(tmp_path_factory.mktemp("plain"), archive) as server:
        yield server


def goldens(bundle: Bundle) -> dict[str, np.ndarray]:
    assert bundle.manifest.golden is not None
    return load_file(bundle.path(bundle.manifest.golden.inputs)) | load_file(
        bundle.path(bundle.manifest.golden.expected)
    )


def certificate(folder: Path) -> tuple[Path, Path]:
    require_tool("openssl", "apt-get install openssl")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_the_client_against_the_real_tail(
    build: Path, bundle: Bundle, archive: Path, plain: TailServer, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with (
        TailServer(tmp_path, archive, "--queue", 1, "--max-wait-ms", 2000, "--workers", 1) as busy,
        TailServer(tmp_path, archive, "--tls-cert", cert, "--tls-key", key, "--token-file", token) as secure,
    ):
        told = {
            "bundle": bundle.root,
            "plain": plain.url,
            "busy": busy.url,
            "secure": secure.url,
            "ca": cert,
            "token": TOKEN,
        }
        options = [f"-Dpripro.tail.{name}={value}" for name, value in told.items()]
        done = java(build, *options, "org.junit.runner.JUnitCore", "org.pripro.splitkit.tail.TailServerTest")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "OK (8 tests)" in done.stdout
    assert done.stdout.count("against a real tail") == 8, "some were skipped"


@pytest.mark.parametrize("encoding", ["float32", "uint8"])
def test_a_heads_features_get_the_golden_answers(
    build: Path, bundle: Bundle, plain: TailServer, tmp_path: Path, encoding: str
) -> None:
    """Golden photo -> ONNX head on its runtime -> Kotlin's client -> served tail: the golden logits."""
    rows = goldens(bundle)
    smashed = onnx_head(bundle, rows)
    got = send(build, bundle, plain, smashed, tmp_path, encoding)
    agree = np.argmax(got, axis=1) == np.argmax(rows["logits"], axis=1)
    if encoding == "float32":
        assert agree.all()
        np.testing.assert_allclose(got, rows["logits"], atol=tolerance(bundle, rows), rtol=0)
    else:
        real = load_goldens(bundle).real()  # the others leave what the codes were calibrated for
        assert agree[real].mean() >= 0.9


def test_kotlin_and_python_clients_get_the_same_bits(
    build: Path, bundle: Bundle, plain: TailServer, tmp_path: Path
) -> None:
    """The same features in the same encoding are the same bytes on the wire, so the same tail gives the same logits."""
    from cloud_tail.archive import open_archive
    from cloud_tail.client import TailClient

    assert bundle.manifest.tail is not None
    smashed = goldens(bundle)["smashed"][:4]
    signature = open_archive(bundle.path(bundle.manifest.tail.archive)).signature
    with TailClient(plain.url, bundle_id=bundle.manifest.bundle_id, signature=signature) as python:
        for encoding in ("float32", "float16", "uint8"):
            kotlin = send(build, bundle, plain, smashed, tmp_path, encoding)
            wanted = np.concatenate([python.infer(row[None], encoding) for row in smashed])
            np.testing.assert_allclose(kotlin, wanted, atol=5e-7, rtol=0)  # reports carry six decimals


def test_coded_messages_under_memoised_noise_get_the_golden_answers(build: Path, tmp_path: Path) -> None:
    """Photo -> noise of the goldens' secret -> a real head with a waist -> coded message -> served tail -> answer."""
    whole, tail = tmp_path / "waist", tmp_path / "tail"
    waist_bundle.make(whole)
    tail.mkdir()
    bundle = Bundle.open(whole)
    assert bundle.manifest.tail is not None
    with TailServer(tail, bundle.path(bundle.manifest.tail.archive)) as server:
        head = [sys.executable, str(Path(__file__).parents[1] / "ios_peer.py"), "head"]
        photos = str(whole / waist_bundle.PHOTOS)
        done = java(build, "org.pripro.splitkit.tools.ClassifyPhotosKt", str(whole), photos, server.url, *head)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    waist_bundle.check(bundle, told["photos"])
    assert [trial["passed"] for trial in told["trials"]] == [True], told["trials"]


@pytest.fixture(scope="module")
def arm64_features(bundle: Bundle) -> np.ndarray:
    """What the bundle's own fp32 .pte gives for every golden row on ARM64 kernels, under qemu."""
    lack = arm64.missing()
    require(lack is None, str(lack), "the command above")
    root = arm64.prepare()
    rows = goldens(bundle)
    head = find(bundle, *HEAD)
    names = [tensor.name for tensor in head.inputs]
    feeds = [{name: rows[name][i : i + 1] for name in names} for i in range(len(rows["image"]))]
    return np.concatenate([arm64.run_head("executorch", bundle.root / head.entry, feed, root=root) for feed in feeds])


def test_a_phones_instruction_set_gets_the_golden_answers(
    build: Path, bundle: Bundle, plain: TailServer, arm64_features: np.ndarray, tmp_path: Path
) -> None:
    """Golden photo -> the bundle's own .pte on ARM64 kernels under qemu -> Kotlin's client -> served tail."""
    rows = goldens(bundle)
    got = send(build, bundle, plain, arm64_features, tmp_path, "float32")
    print(f"largest difference of a logit: {np.abs(got - rows['logits']).max():.2e}")
    assert (np.argmax(got, axis=1) == np.argmax(rows["logits"], axis=1)).all()
    np.testing.assert_allclose(got, rows["logits"], atol=tolerance(bundle, rows), rtol=0)


def test_the_parity_screens_report_is_judged_by_verify(
    build: Path, bundle: Bundle, plain: TailServer, arm64_features: np.ndarray, tmp_path: Path
) -> None:
    """Kotlin's replay of all goldens writes the report; `pripro verify --device-report` reads and passes it."""
    features, report = tmp_path / "smashed.f32", tmp_path / "device-parity.json"
    features.write_bytes(arm64_features.astype("<f4").tobytes())
    done = java(
        build,
        "org.pripro.splitkit.tools.ReplayRecordedKt",
        str(bundle.root),
        " ".join(HEAD),
        str(features),
        plain.url,
        str(report),
    )
    assert done.returncode == 0, done.stderr
    told = DeviceParityReport.model_validate_json(report.read_bytes())
    assert told.bundle_id == bundle.manifest.bundle_id
    rows = device_rows(read_device_report(report, bundle), bundle, load_goldens(bundle))
    assert {row.where for row in rows} >= {"head", "end-to-end", "noise"}
    assert all(row.passed for row in rows), rows
    assert rows[0].target == "executorch"


def find(bundle: Bundle, target: str, precision: str, backend: str) -> Head:
    return next(h for h in bundle.manifest.heads if (h.target, h.precision, h.backend) == (target, precision, backend))


def onnx_head(bundle: Bundle, rows: dict[str, np.ndarray]) -> np.ndarray:
    import onnxruntime

    head = find(bundle, "onnx", "fp32", "cpu")
    session = onnxruntime.InferenceSession(bundle.root / head.entry, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in head.inputs]
    outputs = [session.run(None, {name: rows[name][i : i + 1] for name in names})[0] for i in range(len(rows["image"]))]
    return np.concatenate(outputs)


def send(
    build: Path, bundle: Bundle, server: TailServer, smashed: np.ndarray, folder: Path, encoding: str
) -> np.ndarray:
    """Send features by the app's client; returns logits [n,K]."""
    file = folder / "smashed.f32"
    file.write_bytes(smashed.astype("<f4").tobytes())
    done = java(
        build,
        "org.pripro.splitkit.tools.SendSmashedKt",
        str(file),
        str(bundle.root / "manifest.json"),
        server.url,
        encoding,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["bundle_id"] == bundle.manifest.bundle_id
    return np.array(answer["logits"])


def tolerance(bundle: Bundle, rows: dict[str, np.ndarray]) -> float:
    """What `pripro verify` allows an fp32 head's logits to differ by."""
    assert bundle.manifest.golden is not None
    return largest_difference(bundle.manifest.golden.tolerances["fp32"], rows["logits"])
