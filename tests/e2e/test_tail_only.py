"""A fresh environment with the `tail` extra alone: no torch in it, and it serves."""

import subprocess

import numpy as np
import pytest
from tail_tools import TailServer, expected_logits, tiny_archive, tiny_features, venv_python

from cloud_tail.client import TailClient

pytestmark = pytest.mark.slow


def test_serves_without_torch(tmp_path):
    python = venv_python("tail")
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {line.split("==")[0].split(" @")[0].lower() for line in listed.stdout.splitlines()}
    assert "pripro-toolkit" in names
    assert not names & {"torch", "torchvision", "executorch", "coremltools", "litert-torch", "onnx"}
    where = subprocess.run(
        [python, "-c", "import cloud_tail; print(cloud_tail.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert str(python.parent.parent) in where.stdout  # the installed one, not the checkout's
    archive = tiny_archive(tmp_path)
    with (
        TailServer(tmp_path, archive, "--grpc-port", 0, python=str(python)) as server,
        TailClient(server.url) as client,
    ):
        for encoding, limit in (("float32", 1e-5), ("float16", 0.02), ("uint8", 0.5)):
            got = client.infer(tiny_features(2), encoding)
            np.testing.assert_allclose(got, expected_logits(archive, tiny_features(2)), atol=limit)
