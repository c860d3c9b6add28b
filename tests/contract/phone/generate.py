"""Writes orientations.json: what Pillow makes of one small picture under each of EXIF's eight orientations."""

from __future__ import annotations

import io
import json
from pathlib import Path

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


def text() -> str:
    """The file, a case a line."""
    lines = ",\n".join(json.dumps(case) for case in orientations())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    (HERE / "orientations.json").write_text(text(), encoding="utf-8")
