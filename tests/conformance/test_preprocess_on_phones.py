"""Real photos, prepared by Kotlin and by Swift as torchvision and timm prepare them, to one grey level.

Every configuration gets four photos, another four than the one before, so that all take part; with PRIPRO_PHOTOS=all
every configuration gets all of them, which takes minutes.

The photo itself (orientation, grey, alpha) is made by Python here: test_photo_fixtures and the two languages' own tests
have the way there, and a phone decodes JPEG with its own decoder.
"""

import base64
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from android_tools import android_build, java
from ios_tools import build, run, swift_environment
from real_photos import CONFIGURATIONS, library_transform, real_photos

from toolkit.datasets._library import preprocess_of
from toolkit.datasets._photo import read_photo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CONTRACT = Path(__file__).parents[1] / "contract"


def text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def photos_for(number: int) -> list[tuple[str, bytes]]:
    return real_photos() if os.environ.get("PRIPRO_PHOTOS") == "all" else real_photos()[number % 5 :: 5]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract's folder with real photos in it: what they are, and the libraries' own tensors."""
    folder = tmp_path_factory.mktemp("contract")
    for part in CONTRACT.iterdir():
        if part.name != "photos":
            (folder / part.name).symlink_to(part)
    (folder / "photos" / "real").mkdir(parents=True)
    for part in (CONTRACT / "photos").iterdir():
        (folder / "photos" / part.name).symlink_to(part)
    for number, name in enumerate(CONFIGURATIONS):
        how, transform = preprocess_of(name), library_transform(name)
        rows = []
        for file, data in photos_for(number):
            photo = read_photo(data)
            rows.append(
                {
                    "name": f"{name} {file}", "width": photo.width, "height": photo.height,
                    "rgb": text(np.asarray(photo)), "preprocess": json.loads(how.model_dump_json()),
                    "image": text(transform(photo).numpy().astype("<f4")),
                }
            )  # fmt: skip
        half = len(rows) // 2
        for place, part in enumerate((rows[:half], rows[half:])):
            (folder / "photos" / "real" / f"{number:02}-{place}.json").write_text(json.dumps(part))
    return folder


def all_were_prepared(said: str) -> bool:
    found = re.search(r"real photos prepared: (\d+)", said)
    assert found is not None, said[-3000:]
    return int(found[1]) == sum(len(photos_for(number)) for number in range(len(CONFIGURATIONS)))


def test_kotlin(contract):
    test = "org.pripro.splitkit.photo.PhotoTest"
    done = java(android_build(), f"-Dpripro.contract={contract}", "org.junit.runner.JUnitCore", test, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert all_were_prepared(done.stdout)


def test_swift(contract, monkeypatch):
    swift_environment()
    build()
    monkeypatch.setenv("PRIPRO_CONTRACT", str(contract))
    done = run("swift", "test", "--skip-build", "--filter", "testPhotosAreThoseOfTheLibrariesThatTrained", timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert all_were_prepared(done.stdout + done.stderr)
