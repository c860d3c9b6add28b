"""The fixtures of the photo that Kotlin and Swift follow are what Python makes."""

import base64
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.datasets._photo import NotAPhotoError, read_photo
from toolkit.datasets._preprocess import apply
from toolkit.records.bundle import Preprocess

HERE = Path(__file__).parents[1] / "contract" / "photos"
FOUND = json.loads((HERE / "photos.json").read_text())
MODES = json.loads((HERE / "modes.json").read_text())


def rgb(row, prefix=""):
    data = base64.b64decode(row[f"{prefix}rgb"])
    return np.frombuffer(data, np.uint8).reshape(row[f"{prefix}height"], row[f"{prefix}width"], 3)


def test_the_committed_files_are_what_the_script_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("photo_fixtures", HERE / "generate.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    for name in ("photos.json", "modes.json"):
        assert (tmp_path / name).read_text() == (HERE / name).read_text()


@pytest.mark.parametrize("row", FOUND["photos"], ids=lambda row: row["name"])
def test_a_file_becomes_the_photo(row):
    data = base64.b64decode(row["file"])
    if row["verdict"] == "refuse":
        with pytest.raises(NotAPhotoError, match=row["reason"]):
            read_photo(data)
        return
    made = np.asarray(read_photo(data)).astype(int)
    assert made.shape == rgb(row).shape
    assert np.abs(made - rgb(row)).max() <= row["within"]


def test_the_eight_turns_are_those_of_the_standard():
    """Checked by hand: where the first stored row and column end up (TIFF 6.0, tag Orientation)."""
    by_hand = {
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1), 6: lambda p: p[::-1].swapaxes(0, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: lambda p: p.swapaxes(0, 1)[::-1],
    }  # fmt: skip
    assert [row["orientation"] for row in FOUND["turns"]] == list(by_hand)
    for row in FOUND["turns"]:
        assert np.array_equal(rgb(row), by_hand[row["orientation"]](rgb(row, "stored_")))


def test_oriented_files_show_one_and_the_same_photo():
    turns = {row["name"]: rgb(row) for row in FOUND["photos"] if row["name"].startswith("orientation-")}
    upright = turns["orientation-1.jpg"].astype(int)
    assert np.abs(turns["orientation-3.jpg"][::-1, ::-1] - upright).max() <= 2
    assert turns["orientation-6.jpg"].shape == (24, 16, 3)
    assert np.abs(np.rot90(turns["orientation-6.jpg"]) - upright).max() <= 2


@pytest.mark.parametrize("row", MODES, ids=lambda row: row["name"])
def test_a_mode_is_what_the_fixture_says(row):
    how = Preprocess.model_validate(row["preprocess"])
    made = apply(Image.fromarray(rgb(row)), how)
    expected = np.frombuffer(base64.b64decode(row["image"]), "<f4").reshape(made.shape)
    assert np.array_equal(made, expected)
