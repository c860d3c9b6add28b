"""Writes photos.json and modes.json: `python tests/contract/photos/generate.py`. README.md says what is in them."""

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from toolkit.datasets._photo import NotAPhotoError, read_photo
from toolkit.datasets._preprocess import normalised, pixels, preprocess_for

HERE = Path(__file__).parent
ORIENTATION = 0x0112
JPEG = {"quality": 100, "subsampling": 0}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def encoded(photo: Image.Image, kind: str, **settings: object) -> bytes:
    file = io.BytesIO()
    photo.save(file, kind, **settings)
    return file.getvalue()


def blocks(random: np.random.Generator, across: int = 3, down: int = 2) -> Image.Image:
    """Blocks of 8 x 8 of one colour each, which a JPEG of quality 100 keeps to two code values."""
    colours = random.integers(0, 256, (down, across, 3), dtype=np.uint8)
    return Image.fromarray(colours.repeat(8, 0).repeat(8, 1))


def oriented(photo: Image.Image, orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def files() -> dict[str, tuple[bytes, str]]:
    """Name -> (file, why it is here)."""
    random = np.random.default_rng(11)
    photo = blocks(random)
    made: dict[str, tuple[bytes, str]] = {}
    for orientation in range(1, 9):
        data = encoded(photo, "JPEG", exif=oriented(photo, orientation), **JPEG)
        made[f"orientation-{orientation}.jpg"] = (data, f"EXIF orientation {orientation}: shown upright")
    made["orientation-6.png"] = (encoded(photo, "PNG", exif=oriented(photo, 6)), "PNG files carry EXIF too")
    made["orientation-9.jpg"] = (
        encoded(photo, "JPEG", exif=oriented(photo, 9), **JPEG),
        "an orientation that does not exist: as stored",
    )
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(random.integers(0, 256, (16, 24), dtype=np.uint8)))
    made["alpha.png"] = (encoded(clear, "PNG"), "transparent: on white")
    grey = Image.fromarray(random.integers(0, 256, (16, 24), dtype=np.uint8))
    made["grey.png"] = (encoded(grey, "PNG"), "grey: red = green = blue")
    clear_grey = grey.convert("LA")
    clear_grey.putalpha(128)
    made["grey-alpha.png"] = (encoded(clear_grey, "PNG"), "grey and transparent")
    made["grey.jpg"] = (encoded(photo.convert("L"), "JPEG", **JPEG), "a JPEG of one component")
    made["one-bit.png"] = (encoded(grey.convert("1"), "PNG"), "one bit a pixel: black and white")
    palette = photo.quantize(6)
    made["palette.png"] = (encoded(palette, "PNG"), "a palette: looked up")
    made["palette-alpha.png"] = (encoded(palette, "PNG", transparency=0), "a palette with a transparent entry: white")
    deep = Image.fromarray(random.integers(0, 65536, (16, 24), dtype=np.uint16))
    made["deep.png"] = (encoded(deep, "PNG"), "16 bits: the high byte")
    made["cmyk.jpg"] = (encoded(photo.convert("CMYK"), "JPEG", **JPEG), "CMYK: product of the inverted inks")
    frames = [blocks(random) for _ in range(2)]
    made["animated.gif"] = (
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "animated: the first frame",
    )
    sound = encoded(blocks(random, 8, 8), "JPEG", **JPEG)
    made["behind.jpg"] = (sound + bytes(100), "bytes behind the photo (a motion photo's film) do not count")
    made["cut-short.jpg"] = (sound[: len(sound) * 2 // 3], "ends early: no photo")
    made["empty.jpg"] = (b"", "empty: no photo")
    made["page.jpg"] = (b"<!DOCTYPE html><html></html>", "a web page by another name: no photo")
    return made


def photos() -> list[dict[str, object]]:
    rows = []
    for name, (data, why) in files().items():
        row: dict[str, object] = {"name": name, "why": why, "file": text(data)}
        try:
            made = read_photo(data)
        except NotAPhotoError as error:
            rows.append(row | {"verdict": "refuse", "reason": str(error)})
            continue
        rows.append(row | {"verdict": "accept", "within": 2 if name.endswith(".jpg") else 0} | _pixels("", made))
    return rows


def turns() -> list[dict[str, object]]:
    """The eight orientations on plain pixels, for languages whose tests have no decoder."""
    random = np.random.default_rng(12)
    stored = Image.fromarray(random.integers(0, 256, (3, 5, 3), dtype=np.uint8))
    rows = []
    for orientation in range(1, 9):
        told = stored.copy()
        told.getexif()[ORIENTATION] = orientation
        rows.append(
            {"orientation": orientation} | _pixels("stored_", stored) | _pixels("", ImageOps.exif_transpose(told))
        )
    return rows


def blends() -> list[dict[str, int]]:
    """Colour and alpha on white."""
    pairs = [(c, a) for c in (0, 1, 50, 127, 128, 200, 254, 255) for a in (0, 1, 2, 64, 127, 128, 191, 254, 255)]
    return [{"colour": c, "alpha": a, "on_white": (c * a + 255 * (255 - a) + 127) // 255} for c, a in pairs]


def _pixels(prefix: str, photo: Image.Image) -> dict[str, object]:
    return {
        f"{prefix}width": photo.width,
        f"{prefix}height": photo.height,
        f"{prefix}rgb": text(np.asarray(photo.convert("RGB")).tobytes()),
    }


#: name -> (height, width of the photo), (C,H,W), fields of Preprocess
MODES: dict[str, tuple[tuple[int, int], tuple[int, int, int], dict[str, object]]] = {
    "shorter-side-wide": ((33, 50), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 16}),
    "shorter-side-tall": ((47, 31), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 16}),
    "shorter-side-half-to-even": ((16, 19), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 16}),
    "shorter-side-not-square": ((40, 60), (3, 12, 18), {"resize": "shorter-side", "shorter_side": 20}),
    "shorter-side-grey": ((40, 61), (1, 12, 12), {"resize": "shorter-side", "shorter_side": 13}),
    "shorter-side-enlarges": ((9, 7), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 16}),
    "shorter-side-smaller-than-crop": ((33, 40), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 10}),
    "shorter-side-bicubic": (
        (70, 51), (3, 14, 14), {"resize": "shorter-side", "shorter_side": 16, "interpolation": "bicubic"},
    ),
    "stretch-bicubic": ((31, 44), (3, 12, 12), {"interpolation": "bicubic"}),
    "bicubic-enlarges": ((5, 6), (3, 12, 12), {"interpolation": "bicubic"}),
    "stretch-nearest": ((31, 44), (3, 12, 12), {"interpolation": "nearest"}),
    "center-crop-bicubic": ((31, 44), (3, 12, 12), {"resize": "center-crop", "interpolation": "bicubic"}),
    "pad-wide": ((20, 41), (3, 12, 12), {"resize": "pad"}),
    "pad-tall": ((41, 20), (3, 12, 12), {"resize": "pad", "interpolation": "bicubic"}),
    "pad-bytes-bgr": (
        (20, 41), (3, 12, 12),
        {"resize": "pad", "order": "BGR", "value_range": 255, "mean": [103.9, 116.8, 123.7], "std": [1.0, 2.0, 3.0]},
    ),
    "no-antialias": ((40, 61), (3, 12, 12), {"antialias": False}),
    "no-antialias-bicubic": ((40, 61), (3, 12, 12), {"antialias": False, "interpolation": "bicubic"}),
    "bgr": ((20, 20), (3, 12, 12), {"order": "BGR", "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}),
    "bytes": ((20, 20), (3, 12, 12), {"value_range": 255, "mean": [127.0, 127.0, 127.0], "std": [128.0, 128.0, 128.0]}),
}  # fmt: skip


def modes() -> list[dict[str, object]]:
    random = np.random.default_rng(13)
    rows = []
    for name, ((height, width), shape, fields) in MODES.items():
        photo = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        how = preprocess_for(shape, **fields)
        made = normalised(pixels(photo, how)[None], how)[0]
        row = {"name": name, "width": width, "height": height, "rgb": text(np.asarray(photo).tobytes())}
        rows.append(row | {"preprocess": how.model_dump(), "image": text(made.astype("<f4").tobytes())})
    return rows


def main(out: Path) -> None:
    everything = {"photos": photos(), "turns": turns(), "blends": blends()}
    (out / "photos.json").write_text(json.dumps(everything, indent=1) + "\n")
    (out / "modes.json").write_text(json.dumps(modes(), indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
