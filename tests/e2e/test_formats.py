"""Sets made by the libraries themselves go through partition and protect; preprocessing by a library's name."""

import pytest
import torch
from photo_files import encoded, folder_of
from PIL import Image
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded
from toolkit.errors import InputError
from toolkit.families import digits_resnet
from toolkit.partition.settings import PartitionSettings
from toolkit.partition.start import start
from toolkit.protect.fuse import protect
from toolkit.protect.settings import ProtectSettings

pytestmark = pytest.mark.slow


def shards(photos, out):
    from webdataset import ShardWriter

    with ShardWriter(f"{out}/train-%06d.tar", maxcount=50, verbose=0) as writer:
        for number, path in enumerate(sorted(photos.glob("*/*.png"))):
            label = ("cat", "dog").index(path.parent.name)
            writer.write(
                {"__key__": f"{number:06}", "jpg": encoded(Image.open(path), "JPEG", quality=95), "cls": label}
            )
    return f"webdataset:{out}/train-{{000000..000002}}.tar"


def on_disk(photos, out):
    import datasets

    datasets.load_dataset(
        "imagefolder", data_dir=str(photos), split="train", cache_dir=str(out / "cache")
    ).save_to_disk(str(out / "saved"))
    return f"hf:{out / 'saved'}"


@pytest.mark.parametrize("make", [shards, on_disk])
def test_a_set_that_its_own_library_made_is_protected_with(make, tmp_path):
    photos = folder_of(tmp_path / "photos", 70)
    spec = make(photos, tmp_path)
    torch.manual_seed(0)
    save_file(digits_resnet.build(3, 2).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "labels.txt").write_text("0\n1\n" if make is shards else "cat\ndog\n")
    made = tmp_path / "bundle"
    steps = (
        ["partition", "digits_resnet", "--input", "3x28x28", "--cut", "layer1", "--weights", tmp_path / "w.safetensors",
         "--labels", tmp_path / "labels.txt", "--data", spec, "--anyway", "-o", made],
        ["protect", made, "--method", "pripro", "--data", spec, "--epochs", "1", "--anyway"],
    )  # fmt: skip
    for step in steps:
        assert guarded(lambda step=step: app([str(part) for part in step])) == 0
    manifest = Bundle.open(made).manifest
    assert manifest.protection.data.photos == 140
    assert manifest.protection.data == manifest.model.data
    assert manifest.protection.accuracy.images > 10


def test_preprocessing_by_a_librarys_name_is_in_the_manifest(tmp_path):
    settings = {"source": "resnet18", "cut": "layer1"}
    bundle = start(PartitionSettings(**settings, preprocess="torchvision:resnet18"), tmp_path / "bundle")
    how = bundle.manifest.preprocess
    assert (how.resize, how.shorter_side, how.interpolation) == ("shorter-side", 256, "bilinear")
    with pytest.raises(InputError, match="says everything, and mean was given too"):
        start(PartitionSettings(**settings, preprocess="torchvision:resnet18", mean=[0.5] * 3), tmp_path / "other")
    folder_of(tmp_path / "photos", 60)
    with pytest.raises(InputError, match="has no labels to measure the network with"):
        start(PartitionSettings(**settings, data=f"photos:{tmp_path / 'photos'}"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_method_needs_no_data_where_it_needs_none(tmp_path):
    bundle = start(PartitionSettings(source="digits_resnet", input="1x28x28", cut="layer1"), tmp_path / "bundle")
    assert protect(bundle, ProtectSettings(method="none")).data is None
