"""The real tritonclient, http and grpc, against the real server: every encoding, both ways, and its error paths."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tail_tools import (
    BUNDLE_A,
    BUNDLE_B,
    TailServer,
    coded_features,
    expected_logits,
    tiny_archive,
    tiny_coding,
    tiny_features,
    tiny_signature,
    venv_python,
)

from cloud_tail.wire import dequantise, quantise

pytestmark = pytest.mark.slow
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "token"])
def test_tritonclient(tmp_path, token):
    python = venv_python("clients")
    coding = tiny_coding()
    archive = tiny_archive(tmp_path, coding=coding)
    features, spec = tiny_features(3), tiny_signature().encoding("uint8")
    codes = quantise(features, spec)
    np.save(tmp_path / "features.npy", features)
    np.save(tmp_path / "codes.npy", codes)
    signature = tiny_signature(coding=coding)
    sent = signature.coder.clip(quantise(features, signature.codes))
    messages = [signature.coder.encode(item).hex() for item in sent]
    (tmp_path / "coded.json").write_text(json.dumps({"messages": messages, "table_id": coding.table_id}))
    options = ["--grpc-port", 0]
    if token:
        (tmp_path / "token").write_text(token)
        options += ["--token-file", tmp_path / "token"]
    script = Path(__file__).with_name("tail_triton_client.py")
    with TailServer(tmp_path, archive, *options) as server:
        done = subprocess.run(
            [
                python,
                script,
                str(server.port),
                str(server.grpc_port),
                tmp_path / "features.npy",
                tmp_path / "codes.npy",
                tmp_path / "coded.json",
                BUNDLE_A,
                BUNDLE_B,
                *([token] if token else []),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    plain = expected_logits(archive, features)
    for name in ("http", "grpc"):
        told = seen[name]
        assert [told[key] for key in ("live", "ready", "model_ready", "version_ready", "none_ready")] == [
            True,
            True,
            True,
            True,
            False,
        ]
        assert (told["server"], told["model"]) == ("pripro-tail", "tail")
        np.testing.assert_allclose(told["logits"]["FP32"], plain, atol=1e-5)
        np.testing.assert_allclose(
            told["logits"]["FP16"], expected_logits(archive, features.astype(np.float16).astype(np.float32)), atol=1e-5
        )
        np.testing.assert_allclose(
            told["logits"]["UINT8"], expected_logits(archive, dequantise(codes, spec)), atol=1e-5
        )
        np.testing.assert_allclose(told["coded"], expected_logits(archive, coded_features(features, coding)), atol=1e-5)
        np.testing.assert_allclose(told["named_output"], plain, atol=1e-5)
        np.testing.assert_allclose(told["with_bundle"], plain, atol=1e-5)
        errors = told["errors"]
        assert BUNDLE_A in errors["bundle"]["message"]
        assert BUNDLE_B in errors["bundle"]["message"]
        expected = {
            "bundle": ("409", "FAILED_PRECONDITION"),
            "shape": ("400", "INVALID_ARGUMENT"),
            "name": ("400", "INVALID_ARGUMENT"),
            "nan": ("400", "INVALID_ARGUMENT"),
            "model": ("404", "NOT_FOUND"),
            "output": ("400", "INVALID_ARGUMENT"),
            "classes": ("400", "INVALID_ARGUMENT"),
        }
        if token:
            expected["token"] = ("401", "UNAUTHENTICATED")
        for kind, (status, code) in expected.items():
            assert errors[kind]["status"] == (status if name == "http" else f"StatusCode.{code}"), (
                name,
                kind,
                errors[kind],
            )
    extra = seen["http"]["extra"]
    for packing in ("gzip", "deflate"):
        np.testing.assert_allclose(extra[packing], plain[[0, 0]], atol=1e-5)
    np.testing.assert_allclose(extra["json"], plain, atol=1e-5)
    assert (extra["id"], extra["config"], extra["index"]) == ("mine", "tail", "READY")
    assert extra["stats"] > 0
