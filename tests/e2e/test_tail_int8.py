"""`pripro package --tail-precision int8`: an int8 tail ships beside the fp32 one, if it keeps the user's accuracy."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import converters.to_onnx
from cloud_tail.archive import open_archive
from cloud_tail.client import TailClient
from toolkit.bundle import MANIFEST, Bundle
from toolkit.datasets._data import load_data
from toolkit.errors import InputError, UnknownNameError
from toolkit.inference import seeded
from toolkit.package.serving import serving
from toolkit.package.settings import PackageSettings
from toolkit.package.tail import package
from toolkit.protect.protected import load_protected

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
INT8 = PackageSettings(tail_precision="int8")


@pytest.fixture
def bundle(demo_bundle, tmp_path) -> Bundle:
    shutil.copytree(demo_bundle, tmp_path / "bundle")
    return Bundle.open(tmp_path / "bundle")


def test_the_int8_tail_is_in_the_archive_serves_and_keeps_the_accuracy(bundle):
    before = bundle.manifest
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", "package", str(bundle.root), "--tail-precision", "int8", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the int8 tail is right about" in done.stderr
    assert json.loads(done.stdout)["bundle_id"] == before.bundle_id
    bundle = Bundle.open(bundle.root)
    archive, plain = open_archive(bundle.path(bundle.manifest.tail.archive)), before.tail.archive
    assert archive.int8_model is not None
    assert bundle.manifest.tail.archive.sha256 != plain.sha256

    found, test = load_protected(bundle), load_data("digits", before.preprocess).test
    images, labels = test.images[:400], test.labels[:400].numpy()
    smashed = found.smash(images, found.protection.draw_eps(len(images), seeded(12))).numpy()
    logits = {}
    for precision in ("f32", "int8"):
        with serving(bundle, ["--precision", precision]) as url, TailClient(url) as tail:
            logits[precision] = np.concatenate([tail.infer(part) for part in np.split(smashed, 20)])
    accuracy = {name: float((values.argmax(1) == labels).mean()) for name, values in logits.items()}
    print(accuracy)
    assert np.abs(logits["int8"] - logits["f32"]).max() > 0  # it is another model
    assert accuracy["int8"] >= accuracy["f32"] - 0.01


def test_the_same_bundle_gives_the_same_archive(bundle):
    first = package(bundle, INT8).archive.sha256
    assert package(bundle, INT8).archive.sha256 == first


def test_an_int8_tail_that_loses_accuracy_is_not_packaged(bundle, monkeypatch):
    right = converters.to_onnx.tail_to_int8
    monkeypatch.setattr(
        converters.to_onnx, "tail_to_int8", lambda model, batches, out: right(model, [x / 50 for x in batches], out)
    )  # activations clipped at a fiftieth of their range
    before = (bundle.root / MANIFEST).read_bytes()
    with pytest.raises(InputError, match=r"^The int8 tail was not packaged: .* allow more with --max-tail-drop"):
        package(bundle, INT8)
    assert (bundle.root / MANIFEST).read_bytes() == before
    Bundle.open(bundle.root).check_files()


def test_without_data_or_with_an_unknown_precision_it_says_so(bundle):
    manifest = bundle.manifest
    unknown = manifest.model_copy(update={"protection": manifest.protection.model_copy(update={"data": None})})
    with bundle.extending():
        bundle.commit(unknown)
    blind = Bundle.open(bundle.root)
    with pytest.raises(InputError, match="--data"):
        package(blind, INT8)
    with pytest.raises(UnknownNameError, match="fp32, int8"):
        package(bundle, PackageSettings(tail_precision="int4"))
