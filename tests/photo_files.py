"""Photo files as people have them, sound and broken; used by several suites."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

ORIENTATION = 0x0112


def encoded(photo: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    photo.save(file, kind, **settings)
    return file.getvalue()


def photo(seed: int, width: int = 24, height: int = 16) -> Image.Image:
    """Smooth colours, so that a JPEG of it is near to it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def folder_of(root: Path, count: int, size: int = 12, classes: tuple[str, ...] = ("cat", "dog"), seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def turned(seed: int, orientation: int, kind: str = "JPEG") -> bytes:
    """A photo whose file says how to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(photo(seed), kind, exif=exif)


def odd_files() -> dict[str, bytes]:
    """Name -> content of every kind of file that is met in folders of photos."""
    rng = np.random.default_rng(5)
    base = photo(1)
    deep = rng.integers(0, 65536, (16, 24), dtype=np.uint16)
    sound = encoded(base, "JPEG", quality=95)
    palette = base.quantize(8)
    frames = [photo(seed) for seed in (2, 3)]
    alpha = base.convert("RGBA")
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, (16, 24), dtype=np.uint8)))
    return {
        "plain.jpg": sound,
        "upper.JPG": encoded(photo(4), "JPEG"),
        "grey.png": encoded(base.convert("L")),
        "one-bit.png": encoded(base.convert("1")),
        "palette.png": encoded(palette),
        "palette-clear.png": encoded(palette, transparency=0),
        "alpha.png": encoded(alpha),
        "grey-alpha.png": encoded(base.convert("LA")),
        "alpha.webp": encoded(alpha, "WEBP", lossless=True),
        "sideways.jpg": turned(6, 6),
        "mirrored.png": turned(7, 2, "PNG"),
        "cmyk.jpg": encoded(base.convert("CMYK"), "JPEG"),
        "deep.png": encoded(Image.fromarray(deep)),
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "animated.png": encoded(frames[1], save_all=True, append_images=frames[:1]),
        "pages.tiff": encoded(frames[0].rotate(180), "TIFF", save_all=True, append_images=frames[1:]),
        "png-called.jpg": encoded(photo(8)),
        "one-pixel.png": encoded(Image.new("RGB", (1, 1), (9, 8, 7))),
        "empty.jpg": b"",
        "cut-short.jpg": encoded(photo(1, 200, 150), "JPEG")[:-200],
        "cut-short.png": encoded(photo(9))[:-30],
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "pointer.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
        "noise.jpg": rng.integers(0, 256, 500, dtype=np.uint8).tobytes(),
        "float.tiff": encoded(Image.fromarray(rng.random((16, 24), dtype=np.float32)), "TIFF"),
        "huge.png": _huge(),
        "._plain.jpg": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
        ".DS_Store": b"\x00\x00\x00\x01Bud1",
        "notes.txt": b"not a photo",
        "live.heic": b"\x00\x00\x00\x18ftypheic",
    }


def frames_of(data: bytes) -> list[Image.Image]:
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(io.BytesIO(data)))]


def _huge() -> bytes:
    """A PNG whose header says 14000 x 14000 (196 megapixels), with one row of it."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 14000, 14000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 42001))
        + chunk(b"IEND", b"")
    )
