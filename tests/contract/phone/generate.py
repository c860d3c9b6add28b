"""Writes what the phone libraries must make of photos.

orientations.json: what Pillow makes of one small picture under each of EXIF's eight orientations.
preprocess.json: the ways to prepare a photo that ../preprocess.json does not have, as toolkit/datasets/_preprocess.py does it.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
WIDTH, HEIGHT = 3, 2
ORIENTATION = 0x0112


def orientations() -> list[dict[str, object]]:
    """One case for each EXIF number, and for one that does not exist."""
    stored = list(range(WIDTH * HEIGHT))
    cases = []
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 0, 9):
        picture = Image.new("L", (WIDTH, HEIGHT))
        picture.putdata(stored)
        exif = Image.Exif()
        exif[ORIENTATION] = number
        file = io.BytesIO()
        picture.save(file, "PNG", exif=exif)
        upright = ImageOps.exif_transpose(Image.open(file))
        cases.append(
            {
                "orientation": number,
                "stored": {"width": WIDTH, "height": HEIGHT, "pixels": stored},
                "upright": {"width": upright.width, "height": upright.height, "pixels": list(upright.tobytes())},
            }
        )
    return cases


#: name -> photo's width, height, and how it is prepared
WAYS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "shorter-wide": (41, 23, {"resize": "shorter-side", "shorter_side": 14, "height": 12, "width": 12}),
    "shorter-tall": (21, 50, {"resize": "shorter-side", "shorter_side": 16, "height": 11, "width": 14}),
    "shorter-too-small": (30, 20, {"resize": "shorter-side", "shorter_side": 8, "height": 12, "width": 16}),
    "pad-wide": (40, 13, {"resize": "pad", "height": 16, "width": 16}),
    "pad-tall-grey": (13, 41, {"resize": "pad", "height": 12, "width": 15, "channels": 1, "mean": [0.45], "std": [0.5]}),
    "bicubic-shrink": (37, 29, {"interpolation": "bicubic", "height": 9, "width": 9}),
    "bicubic-enlarge": (5, 7, {"interpolation": "bicubic", "height": 16, "width": 12}),
    "bicubic-crop": (33, 20, {"interpolation": "bicubic", "resize": "center-crop", "height": 8, "width": 8}),
    "nearest-shrink": (31, 17, {"interpolation": "nearest", "height": 7, "width": 11}),
    "nearest-enlarge": (4, 3, {"interpolation": "nearest", "height": 11, "width": 13}),
    "bgr-255": (20, 20, {"order": "BGR", "value_range": 255, "height": 10, "width": 10,
                         "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]}),
    "pad-bgr-255": (20, 9, {"resize": "pad", "order": "BGR", "value_range": 255, "height": 10, "width": 10,
                            "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395]}),
}  # fmt: skip


def prepared() -> list[dict[str, object]]:
    """One case for each way."""
    from toolkit.datasets._preprocess import apply
    from toolkit.records.bundle import Preprocess

    random = np.random.default_rng(11)
    cases = []
    for name, (width, height, fields) in WAYS.items():
        common = {"channels": 3, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        how = Preprocess.model_validate(common | fields)
        rgb = random.integers(0, 256, (height, width, 3), np.uint8)
        image = apply(Image.fromarray(rgb), how)
        cases.append(
            {
                "name": name,
                "width": width,
                "height": height,
                "preprocess": how.model_dump(),
                "rgb": base64.b64encode(rgb.tobytes()).decode(),
                "image": base64.b64encode(image.astype("<f4").tobytes()).decode(),
            }
        )
    return cases


def text(cases: list[dict[str, object]]) -> str:
    """A file, a case a line."""
    lines = ",\n".join(json.dumps(case) for case in cases)
    return f"[\n{lines}\n]\n"


FILES = {"orientations.json": orientations, "preprocess.json": prepared}

if __name__ == "__main__":
    for file, make in FILES.items():
        (HERE / file).write_text(text(make()), encoding="utf-8")
