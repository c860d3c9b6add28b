"""Every kind of data set in toolkit/datasets: the same photos, read the same way, whatever holds them."""

import io
import json
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from photo_files import encoded, folder_of
from PIL import Image

import toolkit.datasets
from toolkit import plugins
from toolkit.datasets._data import kinds, load_data, open_dataset
from toolkit.datasets._preprocess import apply, preprocess_for
from toolkit.datasets.base import Dataset
from toolkit.errors import InputError, MissingExtraError

KINDS = plugins.names(toolkit.datasets)
HOW = preprocess_for((3, 12, 12))
#: the photos that every maker below puts into its kind, as files
PHOTOS = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("photos"), PHOTOS // 2)


def in_folder(photos: Path, out: Path) -> str:
    return f"folder:{photos}"


def in_photos(photos: Path, out: Path) -> str:
    return f"photos:{photos}"


def in_csv(photos: Path, out: Path) -> str:
    rows = [f"{path},{path.parent.name},{number % 3}" for number, path in enumerate(sorted(photos.glob("*/*.png")))]
    (out / "table.csv").write_text("\n".join(["path,label,room", *rows]))
    return f"csv:{out / 'table.csv'}"


def in_webdataset(photos: Path, out: Path) -> str:
    """Written by the webdataset package itself."""
    from webdataset import ShardWriter

    with ShardWriter(f"{out}/shard-%06d.tar", maxcount=PHOTOS // 2, verbose=0) as shards:
        for number, path in enumerate(sorted(photos.glob("*/*.png"))):
            label = path.parent.name
            shards.write(
                {"__key__": f"{number:06}", "png": path.read_bytes(), "cls": label.encode(), "json": {"n": number}}
            )
    return f"webdataset:{out}/shard-{{000000..000001}}.tar"


def in_hf(photos: Path, out: Path) -> str:
    import datasets

    files = sorted(photos.glob("*/*.png"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in files],
        "label": [path.parent.name for path in files],
    }
    datasets.Dataset.from_dict(rows, features).save_to_disk(str(out / "saved"))
    return f"hf:{out / 'saved'}"


MAKERS = {
    "folder": in_folder, "photos": in_photos, "csv": in_csv, "webdataset": in_webdataset, "hf": in_hf,
    "digits": lambda photos, out: "digits",
    "cifar10": None, "cifar100": None,  # their files carry checksums of the real data; see test_data.py
}  # fmt: skip
MADE = [kind for kind, maker in MAKERS.items() if maker is not None]


def test_every_kind_has_a_maker_here():
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_and_says_what_its_place_is(kind):
    found = plugins.load(toolkit.datasets, "data set", kind, Dataset)
    assert (f"{kind}:{found.place}" if found.place else kind) in kinds().split(", ")
    assert found.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_where_nothing_is_is_refused_in_one_sentence(kind, tmp_path):
    found = plugins.load(toolkit.datasets, "data set", kind, Dataset)
    with pytest.raises((InputError, MissingExtraError)) as caught:
        found.open(str(tmp_path / "nothing"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", MADE)
def test_the_table_fits_the_photos_and_survives_pickling(kind, photos, tmp_path):
    dataset = open_dataset(MAKERS[kind](photos, tmp_path))
    again = pickle.loads(pickle.dumps(dataset))
    for one in (dataset, again):
        table = one.table
        count = len(table.names)
        assert len(table.labels) == len(table.parts) == count >= PHOTOS
        assert table.labels.max() == len(table.classes) - 1
        assert len({table.names[index] for index in range(count)}) == count
        content = one.read(count - 1)
        assert isinstance(content, bytes | np.ndarray)


@pytest.mark.parametrize("kind", [kind for kind in MADE if kind != "digits"])
def test_the_same_photos_come_out_in_the_same_parts_whatever_holds_them(kind, photos, tmp_path):
    spec = MAKERS[kind](photos, tmp_path)
    data, plain = load_data(spec, HOW), load_data(f"folder:{photos}", HOW)
    assert data.ref.digest == plain.ref.digest
    for part, expected in zip(_parts(data), _parts(plain), strict=True):
        assert part.images.equal(expected.images)
        assert part.labels.equal(expected.labels) or set(part.labels.tolist()) == {-1}
    assert data.classes == (() if kind == "photos" else ("cat", "dog"))


def _parts(data):
    return data.victim_train, data.victim_val, data.attacker_train, data.test


def test_a_column_of_a_table_is_an_attribute(photos, tmp_path):
    spec = in_csv(photos, tmp_path)
    data = load_data(spec, HOW)
    assert data.attributes == {"room": ("0", "1", "2")}
    rooms = {}
    for line in (tmp_path / "table.csv").read_text().splitlines()[1:]:
        path, _, room = line.split(",")
        rooms[apply(Image.open(path), HOW).tobytes()] = int(room)
    for part in _parts(data):
        assert [rooms[image.numpy().tobytes()] for image in part.images] == part.attributes["room"].tolist()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,label\na.png,1", "must name a column path"),
        ("path,label,label\na.png,1,1", "no column twice"),
        ("path,label\na.png", "Line 2 .* has 1 values for 2 columns"),
        ("path,label", "no row"),
        ("", "not a table|must name"),
        ("path,part\na.png,sometimes", "part 'sometimes'"),
    ],
)
def test_tables_that_do_not_fit(text, sentence, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        open_dataset(f"csv:{tmp_path / 't.csv'}")


def test_a_table_says_which_photos_are_for_the_test(photos, tmp_path):
    files = sorted(photos.glob("*/*.png"))
    held = set(files[::4])
    rows = [f"{path},{path.parent.name},{'test' if path in held else 'train'}" for path in files]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,part", *rows]))
    data = load_data(f"csv:{tmp_path / 't.csv'}", HOW)
    assert {image.numpy().tobytes() for image in data.test.images} == {
        apply(Image.open(path), HOW).tobytes() for path in held
    }


def test_shards_carry_labels_as_numbers_names_or_json(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(80):
            members = {f"{number:04}.jpg": encoded(Image.effect_noise((9, 9), number + 1).convert("RGB"), "JPEG")}
            label = number % 2 * 2  # classes 0 and 2: class 1 has no sample here
            members[f"{number:04}.json"] = json.dumps({"label": label}).encode()
            members[f"._{number:04}.jpg"] = b"AppleDouble"
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    data = load_data(f"webdataset:{tmp_path}/*.tar", HOW)
    assert data.classes == ("0", "1", "2")
    assert set(data.victim_train.labels.tolist()) == {0, 2}


def test_a_compressed_shard_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w:gz") as archive:
        archive.add(__file__, "0.txt")
    with pytest.raises(InputError, match="not a plain tar file"):
        open_dataset(f"webdataset:{tmp_path}/a.tar")


def test_naming_the_kinds_loads_no_optional_package():
    lazy = ("datasets", "webdataset", "torchvision", "mlxtend")
    code = (
        f"import sys; from toolkit.datasets._data import kinds; kinds(); print([n for n in {lazy} if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
