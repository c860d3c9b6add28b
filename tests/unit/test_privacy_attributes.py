"""The user's own attribute: from a table, from folders, from a label column; what does not fit is one sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.datasets._data import DataSplits, load_data
from toolkit.errors import InputError, UnknownNameError
from toolkit.evaluate.attributes import attribute_task, check_attribute, photo_names
from toolkit.evaluate.units import to_unit
from toolkit.records.bundle import Preprocess

PLAIN = Preprocess(channels=1, height=8, width=8, mean=[0.0], std=[1.0])
PHOTOS = 120


def _round(number: int) -> bool:
    return number % 3 == 0


def _big(number: int) -> bool:
    return number % 2 == 0


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two classes of photos; what else they are stands in shapes.csv and in a folder of copies."""
    root = tmp_path_factory.mktemp("shapes")
    generator = np.random.default_rng(0)
    lines = ["path,shape,size"]
    for number in range(PHOTOS):
        name = f"{'ab'[number % 7 > 2]}/{number}.png"
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (8, 8), np.uint8)).save(root / "photos" / name)
        shape, size = ("circle" if _round(number) else "square"), ("big" if _big(number) else "small")
        lines.append(f"{name},{shape},{size}")
        copy = root / "by-shape" / shape / f"{number}.png"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (root / "shapes.csv").write_text("\n".join(lines) + "\n")
    (root / "table.csv").write_text("\n".join(["path,label,shape", *(
        f"photos/{line.split(',')[0]},{line[0]},{line.split(',')[1]}" for line in lines[1:])]) + "\n")  # fmt: skip
    return root


@pytest.fixture(scope="module")
def data(photos) -> DataSplits:
    return load_data(f"folder:{photos / 'photos'}", PLAIN)


def _task(spec: str, data: DataSplits):
    return attribute_task(spec, data, tuple(to_unit(part.images, PLAIN) for part in (data.attacker_train, data.test)))


def _numbers(data: DataSplits) -> list[int]:
    return [int(Path(name).stem) for name in photo_names(data.test, "")]


@pytest.mark.parametrize(("column", "of"), [("shape", _round), ("size", _big)])
def test_a_column_of_a_table(photos, data, column, of):
    task = _task(f"{photos / 'shapes.csv'}:{column}", data)
    # circle < square, big < small
    assert task.test.tolist() == [0 if of(number) else 1 for number in _numbers(data)]
    assert task.classes == 2
    assert len(task.train) == len(data.attacker_train)


def test_the_folder_that_a_photo_lies_in(photos, data):
    task = _task(f"class-of:{photos / 'by-shape'}", data)
    assert torch.equal(task.test, _task(f"{photos / 'shapes.csv'}:shape", data).test)


def test_a_label_column_of_the_data(photos):
    data = load_data(f"csv:{photos / 'table.csv'}", PLAIN)
    assert _task("shape", data).test.tolist() == [0 if _round(number) else 1 for number in _numbers(data)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,shape\na/0.png,circle\n", "has no value for"),
        ("path,shape\na/0.png,\n", "Line 2 .* has no value"),
        ("path,shape\na/0.png,circle,extra\n", "Line 2 .* has 3 values for 2 columns"),
        ("path,shape\na/0.png,circle\na/0.png,square\n", "two values"),
        ("path,shape\n", "holds no row"),
        ("path,form\na/0.png,circle\n", "no column"),
        ("\xff\xfe", "not a table|no row"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, data, text, says):
    path = tmp_path / "wrong.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=says) as caught:
        _task(f"{path}:shape", data)
    assert "\n" not in str(caught.value)


def test_one_value_for_all_is_no_attribute(tmp_path, data):
    names = [*photo_names(data.test, ""), *photo_names(data.attacker_train, "")]
    (tmp_path / "same.csv").write_text("path,shape\n" + "".join(f"{name},circle\n" for name in names))
    with pytest.raises(InputError, match="only one value"):
        _task(f"{tmp_path / 'same.csv'}:shape", data)


def test_refused_before_anything_is_computed(tmp_path):
    for spec in ("salnt", "nothing.csv", "nothing.csv:shape", f"class-of:{tmp_path / 'none'}", f"class-of:{tmp_path}"):
        with pytest.raises(InputError):
            check_attribute(spec, {})
    with pytest.raises(UnknownNameError, match="slant"):
        check_attribute("salnt", {})
    check_attribute("room", {"room": ("kitchen", "hall")})
