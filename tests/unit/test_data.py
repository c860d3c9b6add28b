"""Data sets: four disjoint parts, preprocessing as the manifest says."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.datasets._data import load_data, load_photos
from toolkit.datasets._preprocess import apply, preprocess_for
from toolkit.errors import InputError


def hashes(part):
    return {image.numpy().tobytes() for image in part.images}


def folder_of(root, count, size=12):
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_the_digits_parts_share_no_image():
    data = load_data("digits", preprocess_for((1, 28, 28)))
    parts = [data.victim_train, data.victim_val, data.attacker_train, data.test]
    seen = [hashes(part) for part in parts]
    assert sum(map(len, seen)) == len(set.union(*seen)) == sum(map(len, parts))
    assert [len(part) for part in parts] == [2250, 750, 1000, 1000]
    assert data.test.images.shape[1:] == (1, 28, 28)
    assert data.test.images.min() >= -1
    assert data.test.images.max() <= 1


def test_a_folder_divides_the_same_way_every_time(tmp_path):
    folder = folder_of(tmp_path, 30)
    how = preprocess_for((3, 8, 8))
    first, second = (load_data(f"folder:{folder}", how) for _ in range(2))
    assert first.classes == ("cat", "dog")
    assert torch.equal(first.test.images, second.test.images)
    assert sum(len(p) for p in (first.victim_train, first.victim_val, first.attacker_train, first.test)) == 60


def test_a_duplicate_is_in_one_part_only(tmp_path):
    folder = folder_of(tmp_path, 30)
    for number in range(20):
        (folder / "dog" / f"again{number}.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    data = load_data(f"folder:{folder}", preprocess_for((3, 12, 12)))
    assert sum(len(p) for p in (data.victim_train, data.victim_val, data.attacker_train, data.test)) == 60


def test_train_and_test_folders_stay_apart(tmp_path):
    folder_of(tmp_path / "train", 20)
    held = folder_of(tmp_path / "test", 5, size=9)
    data = load_data(f"folder:{tmp_path}", preprocess_for((3, 9, 9)))
    kept = {apply(Image.open(path), preprocess_for((3, 9, 9))).tobytes() for path in held.glob("*/*.png")}
    assert hashes(data.test) <= kept


def test_cifar_on_disk(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]:
        batch = {"data": generator.integers(0, 256, (10, 3072), dtype=np.uint8), "labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(batch))
    with pytest.raises(InputError, match="no complete cifar10"):
        load_data(f"cifar10:{tmp_path}", preprocess_for((3, 32, 32)))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("digit", "There is no data set"),
        ("folder:", "There is no data set"),
        ("folder:/nowhere", "There is no folder"),
        ("cifar10:/nowhere", "There is no folder"),
    ],
)
def test_unusable_specs_are_refused(spec, sentence):
    with pytest.raises(InputError, match=sentence):
        load_data(spec, preprocess_for((1, 28, 28)))


def test_too_few_images(tmp_path):
    with pytest.raises(InputError, match="too few"):
        load_data(f"folder:{folder_of(tmp_path, 1)}", preprocess_for((3, 8, 8)))


def test_photos_are_read_in_the_order_of_their_names(tmp_path):
    for name, value in (("b", 255), ("a", 0)):
        Image.new("RGB", (20, 10), (value, value, value)).save(tmp_path / f"{name}.png")
    images = load_photos(tmp_path, preprocess_for((3, 4, 4), [0, 0, 0], [1, 1, 1]))
    assert images[0].max() == 0
    assert images[1].min() == 1


def test_center_crop_keeps_the_middle_and_stretch_keeps_all():
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 255
    photo = Image.fromarray(pixels)
    kept = apply(photo, preprocess_for((3, 10, 10), [0, 0, 0], [1, 1, 1], "center-crop"))
    assert kept.min() == 1
    stretched = apply(photo, preprocess_for((3, 10, 10), [0, 0, 0], [1, 1, 1]))
    assert stretched.min() == 0


@pytest.mark.parametrize("shape", [(2, 8, 8), (4, 8, 8)])
def test_other_channel_counts_are_refused(shape):
    with pytest.raises(InputError, match="channels"):
        preprocess_for(shape)
