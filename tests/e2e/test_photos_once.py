"""All stages of one process together hash each photo once."""

from collections import Counter
from pathlib import Path

import parity_bundle
import pytest

from toolkit.datasets import _index
from toolkit.verify.report import verify_bundle

pytestmark = pytest.mark.slow


def test_protect_convert_package_and_verify_hash_each_photo_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hashed: Counter[int] = Counter()
    look = _index._Look.__call__

    def counting(self, chunk):
        hashed.update(chunk.tolist())
        return look(self, chunk)

    monkeypatch.setattr(_index._Look, "__call__", counting)
    monkeypatch.setenv("PRIPRO_WORKERS", "0")
    bundle = parity_bundle.build(tmp_path / "bundle")
    parity_bundle.with_head(bundle, "onnx", "int8")
    assert verify_bundle(bundle).rows
    assert set(hashed.values()) == {1}
    assert hashed.total() == sum(1 for path in (tmp_path / "crops").rglob("*.png") if path.is_file())
