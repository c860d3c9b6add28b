"""Data sets: four disjoint parts by content, classes by name, memory only for what is asked for."""

import dataclasses
import os
import pickle
import random
import shutil
import sys
import time
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from photo_files import encoded, folder_of, odd_files, photo
from PIL import Image

from toolkit.datasets import _kept, _seen
from toolkit.datasets._augment import Augment
from toolkit.datasets._data import data_ref, load_data, load_photos, open_dataset
from toolkit.datasets._index import index_of
from toolkit.datasets._preprocess import apply, preprocess_for
from toolkit.errors import InputError

HOW = preprocess_for((3, 8, 8))
SMALL = preprocess_for((3, 12, 12))


def hashes(part):
    return {image.numpy().tobytes() for image in part.images}


def parts_of(data):
    return data.victim_train, data.victim_val, data.attacker_train, data.test


def where(data):
    """Photo -> number of its part."""
    return {key: number for number, part in enumerate(parts_of(data)) for key in hashes(part)}


def test_the_digits_parts_share_no_image_and_have_about_their_shares():
    data = load_data("digits", preprocess_for((1, 28, 28)))
    seen = [hashes(part) for part in parts_of(data)]
    assert sum(map(len, seen)) == len(set.union(*seen)) == sum(map(len, parts_of(data))) == 5000
    for part, share in zip(parts_of(data), (0.45, 0.15, 0.20, 0.20), strict=True):
        assert abs(len(part) / 5000 - share) < 3.5 * (share * (1 - share) / 5000) ** 0.5
        assert set(part.labels.tolist()) == set(range(10))
    assert data.test.images.shape[1:] == (1, 28, 28)
    assert data.test.images.min() >= -1
    assert data.test.images.max() <= 1


def test_a_photo_keeps_its_part_when_files_are_renamed_shuffled_and_added(tmp_path):
    folder = folder_of(tmp_path / "one", 60)
    before = where(load_data(f"folder:{folder}", SMALL))
    names = list(range(60))
    random.Random(1).shuffle(names)
    for kind in ("cat", "dog"):
        (tmp_path / "two" / kind).mkdir(parents=True)
        for number, name in enumerate(names):
            shutil.copy(folder / kind / f"{number}.png", tmp_path / "two" / kind / f"renamed-{name:03}.png")
    assert where(load_data(f"folder:{tmp_path / 'two'}", SMALL)) == before
    folder_of(tmp_path / "new", 40, seed=9)
    for kind in ("cat", "dog"):
        for file in (tmp_path / "new" / kind).iterdir():
            shutil.copy(file, tmp_path / "two" / kind / f"added-{file.name}")
    after = where(load_data(f"folder:{tmp_path / 'two'}", SMALL))
    assert len(after) == len(before) + 80
    assert {key: after[key] for key in before} == before


def test_the_order_inside_a_part_follows_the_content(tmp_path):
    folder = folder_of(tmp_path, 40)
    first, second = (load_data(f"folder:{folder}", HOW) for _ in range(2))
    assert first.classes == ("cat", "dog")
    assert torch.equal(first.test.images, second.test.images)
    assert torch.equal(first.victim_train.first(5).images, first.victim_train.photos[:5])
    assert not torch.equal(
        load_data(f"folder:{folder}", HOW, seed=1).victim_train.photos[:5], first.victim_train.photos[:5]
    )


def test_a_limit_takes_the_same_photos_and_leaves_them_in_their_parts(tmp_path):
    folder = folder_of(tmp_path, 100)
    everything, some = (
        where(load_data(f"folder:{folder}", SMALL)),
        where(load_data(f"folder:{folder}", SMALL, limit=120)),
    )
    assert len(some) == 120
    assert some.items() <= everything.items()


def test_copies_count_once_and_a_photo_in_two_classes_is_in_neither(tmp_path, caplog):
    folder = folder_of(tmp_path, 60)
    for number in range(20):
        (folder / "cat" / f"again{number}.png").write_bytes((folder / "cat" / "0.png").read_bytes())
        (folder / "dog" / f"again{number}.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    data = load_data(f"folder:{folder}", SMALL)
    assert sum(map(len, parts_of(data))) == 119
    assert "20 an exact copy of another (first: cat/again0.png)" in caplog.text
    assert "21 in two classes at once (first: cat/1.png)" in caplog.text


def test_train_and_test_folders_stay_apart_and_test_wins_over_its_copy_in_train(tmp_path):
    folder_of(tmp_path / "train", 60)
    held = folder_of(tmp_path / "test", 15, seed=3)
    shutil.copy(held / "cat" / "0.png", tmp_path / "train" / "cat" / "leaked.png")
    data = load_data(f"folder:{tmp_path}", SMALL)
    kept = {apply(Image.open(path), SMALL).tobytes() for path in held.glob("*/*.png")}
    assert hashes(data.test) == kept
    assert len(kept) == 30


def test_only_what_is_asked_for_is_decoded(tmp_path, monkeypatch):
    data = load_data(f"folder:{folder_of(tmp_path, 60)}", HOW)
    read = []
    real = type(open_dataset(f"folder:{tmp_path}")).read
    monkeypatch.setattr(
        "toolkit.datasets.folder.Folder.read", lambda self, index: read.append(index) or real(self, index)
    )
    assert data.victim_train.photos[:3].shape == (3, 3, 8, 8)
    assert len(read) == 3
    assert len(next(data.test.photos.split(7))) == 7


def test_worker_processes_give_the_same_photos_and_sentences(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, 40)
    for name, content in odd_files().items():
        (folder / "cat" / name).write_bytes(content)
    dataset = open_dataset(f"folder:{folder}")
    here = index_of(dataset, "folder:x")
    images = load_data(f"folder:{folder}", HOW).victim_train.photos
    batches = torch.arange(len(images)).split(8)
    augmented = list(_augmented(images).batches(batches, epoch=2))
    alone = images[:]
    monkeypatch.setenv("PRIPRO_WORKERS", "2")
    there = index_of(dataset, "folder:x")
    assert here.told == there.told
    assert here.digest() == there.digest()
    assert torch.equal(torch.cat(list(images.batches(batches))), alone)
    for one, other in zip(_augmented(images).batches(batches, epoch=2), augmented, strict=True):
        assert torch.equal(one, other)


def _augmented(images):
    return dataclasses.replace(images, augment=Augment(seed=4))


def test_augmentation_is_drawn_anew_for_each_epoch_and_keeps_the_shape(tmp_path):
    images = _augmented(load_data(f"folder:{folder_of(tmp_path, 60)}", HOW).victim_train.photos)
    order = torch.arange(16).split(8)
    first, again, later = (torch.cat(list(images.batches(order, epoch=e))) for e in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert first.shape == (16, 3, 8, 8)


def test_a_photo_that_breaks_while_it_is_used_is_named_in_one_sentence(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, 60)
    data = load_data(f"folder:{folder}", HOW)
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"")
    for workers in ("0", "2"):
        monkeypatch.setenv("PRIPRO_WORKERS", workers)
        with pytest.raises(
            InputError, match=r"^(cat|dog)/\d+.png was a photo when it was first read and no longer is \(empty\)"
        ):
            list(data.test.photos.split(4))


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
        ("digit", "There is no data set 'digit'; give one of: .*csv:FILE.*digits.*folder:DIR"),
        ("digits:here", "has no place"),
        ("folder:", "write folder:DIR"),
        ("folder:/nowhere", "There is no folder"),
        ("photos:/nowhere", "There is no folder"),
        ("cifar10:/nowhere", "There is no folder"),
        ("csv:/nowhere.csv", "not a table"),
        ("webdataset:/nowhere/*.tar", "No file is named like"),
        ("webdataset:/nowhere/{0..3}.tar", "There is no shard"),
    ],
)
def test_unusable_specs_are_refused(spec, sentence):
    with pytest.raises(InputError, match=sentence):
        load_data(spec, preprocess_for((1, 28, 28)))


def test_too_few_images(tmp_path):
    with pytest.raises(InputError, match="too few"):
        load_data(f"folder:{folder_of(tmp_path, 1)}", HOW)


def test_a_folder_without_a_readable_photo_is_refused(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"No photo of .* can be read; .* 1 file left out: 1 empty \(first: cat/a.jpg\)"
    ):
        load_data(f"folder:{tmp_path}", HOW)


def test_photos_are_read_in_the_order_of_their_names(tmp_path):
    for name, value in (("b", 255), ("a", 0)):
        Image.new("RGB", (20, 10), (value, value, value)).save(tmp_path / f"{name}.png")
    images = load_photos(tmp_path, preprocess_for((3, 4, 4), [0, 0, 0], [1, 1, 1]))
    assert images[0].max() == 0
    assert images[1].min() == 1


@pytest.mark.parametrize("inside", ["", "cat", "dog/deeper"])
def test_a_link_back_to_the_folder_is_refused(tmp_path, inside):
    """Once it made every photo class 0: the copies under the loop came first by name, and copies count once."""
    folder = folder_of(tmp_path / "set", 30)
    (folder / inside).mkdir(parents=True, exist_ok=True)
    (folder / inside / "again").symlink_to(folder, target_is_directory=True)
    with pytest.raises(InputError, match="again is a link back to a folder that it is in"):
        load_data(f"folder:{folder}", HOW)
    with pytest.raises(InputError, match="link back"):
        load_data(f"photos:{folder}", HOW)


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    folder_of(tmp_path / "elsewhere", 60)
    (tmp_path / "set").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name, target_is_directory=True)
    assert sum(map(len, parts_of(load_data(f"folder:{tmp_path / 'set'}", HOW)))) == 120


def test_a_data_set_is_known_by_its_content_not_by_its_name(tmp_path):
    one, other = folder_of(tmp_path / "one", 30), folder_of(tmp_path / "two", 30, seed=1)
    moved = tmp_path / "three"
    shutil.copytree(one, moved)
    (moved / "cat" / "0.png").rename(moved / "cat" / "zero.png")
    (moved / ".DS_Store").write_bytes(b"x")
    known = data_ref(f"folder:{one}")
    assert known.photos == 60
    assert data_ref(f"folder:{moved}").digest == known.digest
    assert data_ref(f"folder:{other}").digest != known.digest
    assert load_data(f"folder:{one}", HOW).ref == known
    (one / "dog" / "1.png").write_bytes(encoded(photo(1)))
    assert data_ref(f"folder:{one}").digest != known.digest


def test_unreadable_files_are_named_with_the_reason(tmp_path, caplog):
    folder = folder_of(tmp_path, 60)
    (folder / "cat" / "gone.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "cat" / "pipe.png")
    data = load_data(f"folder:{folder}", HOW)
    assert sum(map(len, parts_of(data))) == 120
    assert "1 a link to nothing (first: gone.png)" in caplog.text
    assert "1 no regular file (first: pipe.png)" in caplog.text


@pytest.fixture
def opened():
    """How often each file has been opened, by whatever in this process."""
    counts = Counter()
    watching = [True]

    def hook(event, arguments):
        if watching and event == "open" and isinstance(arguments[0], str | os.PathLike):
            counts[os.path.realpath(arguments[0])] += 1

    sys.addaudithook(hook)  # none can be taken away again
    yield counts
    watching.clear()


def test_photos_are_read_once_however_often_a_command_needs_to_know_them(tmp_path, opened):
    folder = folder_of(tmp_path, 60)
    spec, photos = f"folder:{folder}", [os.path.realpath(path) for path in folder.rglob("*.png")]

    def reads():
        found = [opened[path] for path in photos]
        opened.clear()
        return found

    opened.clear()  # of their writing
    first = load_data(spec, HOW)
    assert reads() == [1] * len(photos) == [1] * 120
    assert load_data(spec, SMALL, limit=100, seed=2).ref == data_ref(spec) == first.ref
    assert reads() == [0] * len(photos)
    assert len(first.test.images) == len(first.test)
    assert sum(reads()) == len(first.test)


@pytest.mark.parametrize("keep_time", [False, True], ids=["written", "put in its place, with its time"])
def test_a_photo_that_has_changed_since_is_read_again(tmp_path, keep_time):
    folder = folder_of(tmp_path, 60)
    before = data_ref(f"folder:{folder}")
    file = folder / "cat" / "7.png"
    old = file.stat()
    new = tmp_path / "new.png"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # in the checksum of the last chunk, which decoders do not read
    new.write_bytes(content)
    if keep_time:
        os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    new.replace(file)
    assert file.stat().st_size == old.st_size
    assert data_ref(f"folder:{folder}").digest != before.digest


def test_a_photo_that_has_come_or_gone_since_is_seen(tmp_path):
    folder = folder_of(tmp_path, 60)
    before = data_ref(f"folder:{folder}")
    (folder / "cat" / "7.png").rename(tmp_path / "7.png")
    assert data_ref(f"folder:{folder}").photos == before.photos - 1
    (tmp_path / "7.png").rename(folder / "dog" / "new.png")
    assert data_ref(f"folder:{folder}") == before


@pytest.fixture
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("user") / "cache"


@pytest.fixture
def next_command(cache, monkeypatch):
    """Forget what this process has seen, as the next command has; what is kept on the disk stays."""
    monkeypatch.setenv("PRIPRO_PHOTO_CACHE", str(cache))
    monkeypatch.setattr(_kept, "SETTLED", 0.05)
    monkeypatch.setattr(_seen, "_seen", OrderedDict())
    return _seen._seen.clear


def test_the_next_command_reads_no_photo_that_nobody_has_changed(tmp_path, opened, next_command):
    folder = folder_of(tmp_path, 60)
    time.sleep(0.1)
    spec, photos = f"folder:{folder}", [os.path.realpath(path) for path in folder.rglob("*.png")]
    first = load_data(spec, HOW)
    opened.clear()
    next_command()
    again = load_data(spec, HOW)
    assert sum(opened[path] for path in photos) == 0
    assert again.ref == first.ref
    assert [part.photos.photos.tolist() for part in (again.victim_train, again.test)] == [
        part.photos.photos.tolist() for part in (first.victim_train, first.test)
    ]
    (folder / "cat" / "7.png").write_bytes((folder / "cat" / "8.png").read_bytes())
    next_command()
    assert data_ref(spec).photos == first.ref.photos - 1


def test_photos_changed_within_a_clock_tick_are_not_trusted_by_the_next_command(
    tmp_path, cache, next_command, monkeypatch
):
    monkeypatch.setattr(_kept, "SETTLED", 60.0)
    folder = folder_of(tmp_path, 60)
    data_ref(f"folder:{folder}")
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", None], ids=["empty", "damaged", "of other rules"])
def test_a_kept_index_that_does_not_fit_is_none(tmp_path, cache, next_command, monkeypatch, content):
    folder = folder_of(tmp_path, 60)
    time.sleep(0.1)
    first = data_ref(f"folder:{folder}")
    (kept,) = cache.iterdir()
    if content is None:
        monkeypatch.setattr(_kept, "_REVISION", 0)
    else:
        kept.write_bytes(content)
    next_command()
    assert data_ref(f"folder:{folder}") == first
    assert len(list(cache.iterdir())) == (2 if content is None else 1)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, cache, next_command):
    cache.write_text("a file where a folder belongs")
    folder = folder_of(tmp_path, 60)
    time.sleep(0.1)
    assert data_ref(f"folder:{folder}").photos == 120


def test_few_data_sets_are_kept(tmp_path, cache, next_command):
    for number in range(10):
        folder = folder_of(tmp_path / str(number), 4)
        time.sleep(0.06)
        data_ref(f"folder:{folder}")
    assert len(list(cache.iterdir())) == 8
