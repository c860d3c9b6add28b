"""Photos that were moved or changed since a bundle was protected: only what needs photos asks for them."""

import os
import shutil

import pytest
import torch
from photo_files import folder_of
from safetensors.torch import save_file

from toolkit.convert.heads import convert, plan_heads
from toolkit.datasets._recorded import recorded_data
from toolkit.errors import InputError, MovedDataError
from toolkit.evaluate.running import prepare
from toolkit.evaluate.settings import EvaluateSettings
from toolkit.families import digits_resnet
from toolkit.package.settings import PackageSettings
from toolkit.package.tail import package
from toolkit.partition.settings import PartitionSettings
from toolkit.partition.start import start
from toolkit.protect.fuse import protect
from toolkit.protect.settings import ProtectSettings
from toolkit.verify.report import verify_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A bundle whose photos, named by a relative path, now lie elsewhere."""
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "photos", 60)
    torch.manual_seed(0)
    save_file(digits_resnet.build(3, 2).state_dict(), tmp_path / "w.safetensors")
    settings = {"source": "digits_resnet", "input": "3x28x28", "cut": "layer1", "classes": 2}
    bundle = start(PartitionSettings(**settings, weights=tmp_path / "w.safetensors"), tmp_path / "bundle")
    protect(bundle, ProtectSettings(method="gaussian", data="folder:photos", anyway=True))
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    return bundle


def test_an_fp32_head_the_tail_and_verify_go_without_photos(moved, tmp_path):
    convert(moved, plan_heads(["onnx"], ["fp32"]))
    told = []
    package(moved, PackageSettings(goldens=4), tell=told.append)
    assert len(told) == 1
    assert "give their present place with --data" in told[0]
    report = verify_bundle(moved)
    assert report.passed
    (row,) = [row for row in report.rows if row.passed is None]
    assert row.target == "task"
    assert "--data" in row.note


def test_what_needs_photos_says_so_and_takes_them_from_where_they_are(moved, tmp_path):
    wanted = plan_heads(["onnx"], ["fp32", "int8"])
    with pytest.raises(MovedDataError, match=r"There is no folder photos; .* give their present place with --data"):
        convert(moved, wanted)
    assert not moved.manifest.heads
    here = f"folder:{tmp_path / 'elsewhere'}"
    convert(moved, wanted, data=here)
    package(moved, PackageSettings(goldens=4, data=here))
    report = verify_bundle(moved, data=here)
    assert {row.where for row in report.rows if row.target == "onnx"} >= {"head", "task"}
    assert all(row.passed is not None for row in report.rows)


def test_another_folder_of_the_same_name_is_not_taken_for_it(moved, tmp_path, caplog):
    """Once a folder of the same relative name, wherever the command was run, was used without a word."""
    (tmp_path / "another").mkdir()
    os.chdir(tmp_path / "another")
    folder_of(tmp_path / "another" / "photos", 50, seed=3)
    with pytest.raises(MovedDataError, match="folder:photos holds 100 photos that are not the 120"):
        recorded_data(moved.manifest)
    data = recorded_data(moved.manifest, "folder:photos")  # named on purpose: taken, and said
    assert data.ref.photos == 100
    assert "other photos than those that the bundle was protected with" in caplog.text


def test_the_same_photos_under_other_names_are_the_same(moved, tmp_path):
    (tmp_path / "photos").mkdir()
    for kind in ("cat", "dog"):
        shutil.copytree(tmp_path / "elsewhere" / kind, tmp_path / "photos" / kind / "deeper")
    assert recorded_data(moved.manifest).ref.photos == 120


def test_a_photo_more_is_noticed(moved, tmp_path):
    shutil.move(tmp_path / "elsewhere", tmp_path / "photos")
    folder_of(tmp_path / "more", 1, seed=8)
    shutil.copy(tmp_path / "more" / "cat" / "0.png", tmp_path / "photos" / "cat" / "new.png")
    with pytest.raises(MovedDataError, match="holds 121 photos"):
        recorded_data(moved.manifest)


def test_a_place_that_does_not_exist_is_refused_by_its_own_sentence(moved):
    with pytest.raises(InputError, match="There is no folder nowhere"):
        recorded_data(moved.manifest, "folder:nowhere")


def test_evaluate_notices_moved_photos_and_data_of_another_network(moved, tmp_path):
    def prepared(**more):
        return prepare(moved, EvaluateSettings(attacks=("inverse_network",), **more), lambda share, text: None)

    with pytest.raises(MovedDataError, match="give their present place with --data"):
        prepared()
    with pytest.raises(InputError, match=r"by chance.*correct that\."):
        prepared(data=f"folder:{tmp_path / 'elsewhere'}")
