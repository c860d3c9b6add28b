"""The archive on real Ray Serve: same logits, a killed replica under load, and two bundles at once during an update."""

import json
import os
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tail_tools import (
    BUNDLE_A,
    BUNDLE_B,
    ROOT,
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


def test_ray_serve(tmp_path):
    python = venv_python("ray")
    coding = tiny_coding()
    old = tiny_archive(tmp_path, "old.mar", coding=coding)
    new = tiny_archive(tmp_path, "new.mar", bundle_id=BUNDLE_B, version="2.0", seed=5)
    features = tiny_features(2)
    np.save(tmp_path / "features.npy", features)
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port = link.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_SERVE_PORT": str(port),
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [python, Path(__file__).with_name("tail_ray_run.py"), old, new, tmp_path / "features.npy"],
        env=environment, capture_output=True, text=True, timeout=240, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads((tmp_path / "seen.json").read_text())
    spec = tiny_signature().encoding("uint8")
    half = features.astype(np.float16).astype(np.float32)
    for encoding, arrived in (
        ("float32", features),
        ("float16", half),
        ("uint8", dequantise(quantise(features, spec), spec)),
        ("coded", coded_features(features, coding)),
    ):
        np.testing.assert_allclose(seen["logits"][encoding], expected_logits(old, arrived), atol=1e-5)
    assert seen["refused"] == {"body": 400, "message": 400, "model": 404}
    assert seen["mismatch"] == [BUNDLE_A, BUNDLE_B]
    killed, updated = seen["kill"], seen["update"]
    assert killed["replicas"] == 2
    assert killed["wrong"] == 0
    assert killed["good_after"] > 10
    assert killed["errors"] <= 40, killed  # what the dead replica had in hand, and what was sent before Ray noticed
    assert killed["late_errors"] == 0, killed
    assert (updated["wrong"], updated["errors"]) == (0, 0), updated
    assert updated["good"] > 10
    np.testing.assert_allclose(updated["new_logits"], expected_logits(new, features), atol=1e-5)
