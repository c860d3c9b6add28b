"""The one definition of "the photo": what Python, Kotlin and Swift make of a file before they resize it.

    encoded file -> 8-bit red, green, blue as a person sees them, upright

Every choice is made here and shown in tests/contract/photos.json:

- orientation: EXIF's, all eight; the photo is turned upright, as every gallery shows it;
- alpha: composited on white, out = (c * a + 255 * (255 - a) + 127) div 255;
- grey: red = green = blue; palette: looked up, its transparent entry is alpha;
- 16 bits a channel: the high byte (v div 256);
- CMYK: red = c * k / 255 of the inverted inks, without a colour profile;
- colour profiles are ignored: the numbers in the file are the numbers that the network was trained on;
- animated, or several pages: the first one;
- a file that ends early, holds no photo, or has more than 100 million pixels is refused.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

#: 300 MB once decoded; phones' 200-megapixel modes are beyond it
MAX_PIXELS = 100_000_000
_ORIENTATION = 0x0112
_WHITE = 255
#: what files begin with that are no photos, whatever their names say
_FOREIGN = {
    b"<!DO": "a web page", b"<htm": "a web page", b"<HTM": "a web page", b"<?xm": "XML", b"<svg": "an SVG drawing",
    b"vers": "a Git LFS pointer", b"%PDF": "a PDF", b"PK\x03\x04": "a ZIP archive",
    b"\x00\x05\x16\x07": "AppleDouble data",
}  # fmt: skip


class NotAPhotoError(Exception):
    """A file that no photo can be read from; the message is the reason, as "cut short" or "empty"."""


def read_photo(data: bytes) -> Image:
    """Decode a file to the photo, mode RGB.

    Raises:
        NotAPhotoError: why the file holds no photo.
    """
    return upright_rgb(_opened(data))


def check_photo(data: bytes) -> list[str]:
    """Say what is odd about a photo that can be read: what was done to it that a plain decoder would not do.

    JPEG files are decoded at an eighth of their size: the whole stream is still read, at a third of the cost.

    Raises:
        NotAPhotoError: as read_photo does.
    """
    photo = _opened(data)
    odd = _oddities(photo)
    if photo.format == "JPEG":
        photo.draft(None, (1, 1))
    _load(photo)
    if photo.mode == "F" or photo.mode.startswith("I"):
        _flattened(photo)
    return odd


def from_pixels(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Image:
    """8-bit pixels [H,W] or [H,W,3] as a photo, mode RGB."""
    from PIL import Image as images

    return images.fromarray(pixels).convert("RGB")


def upright_rgb(photo: Image) -> Image:
    """Turn an opened image, in whatever mode, into the photo: mode RGB, upright.

    Raises:
        NotAPhotoError: its pixels cannot be read, or have no defined brightness.
    """
    from PIL import ImageOps

    _load(photo)
    # flattened first: what Pillow's transpose does to palettes with alpha differs between versions
    flat = _flattened(photo)
    flat.info = {}
    orientation = _orientation(photo)
    if orientation in range(2, 9):
        flat.getexif()[_ORIENTATION] = orientation
        flat = ImageOps.exif_transpose(flat)
    return flat


def _opened(data: bytes) -> Image:
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if not data:
        raise NotAPhotoError("empty")
    try:
        with warnings.catch_warnings():
            # about files, in Pillow's words; and its own limit, where ours is what counts
            warnings.simplefilter("ignore")
            photo = images.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise NotAPhotoError(_FOREIGN.get(data[:4], "not an image")) from None
    except images.DecompressionBombError:
        raise NotAPhotoError(f"more than {MAX_PIXELS // 1_000_000} megapixels") from None
    except Exception as error:  # of a parser in the face of any bytes
        raise NotAPhotoError(f"damaged ({_words(error)})") from None
    if photo.width * photo.height > MAX_PIXELS:
        raise NotAPhotoError(f"more than {MAX_PIXELS // 1_000_000} megapixels")
    if photo.width * photo.height == 0:
        raise NotAPhotoError("without pixels")
    return photo


def _load(photo: Image) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            photo.load()
    except Exception as error:  # of a decoder in the face of any bytes
        cut = "truncated" in str(error) or "unexpected end" in str(error).lower()
        raise NotAPhotoError("cut short" if cut else f"damaged ({_words(error)})") from None


def _flattened(photo: Image) -> Image:
    from PIL import Image as images

    mode = photo.mode
    if mode == "F":
        raise NotAPhotoError("floating-point pixels, which have no defined white")
    if mode.startswith("I"):
        deep = np.asarray(photo).astype(np.int64)
        if deep.min() < 0 or deep.max() > 0xFFFF:
            raise NotAPhotoError("32-bit pixels, which have no defined white")
        return images.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    if mode == "P" and photo.palette is not None and photo.palette.mode == "RGBA":
        return _on_white(photo.convert("RGBA"))
    if "transparency" in photo.info or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _on_white(photo.convert("RGBA"))
    return photo.convert("RGB")


def _on_white(photo: Image) -> Image:
    from PIL import Image as images

    pixels = np.asarray(photo).astype(np.uint32)
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    blended = (colour * alpha + _WHITE * (255 - alpha) + 127) // 255
    return images.fromarray(blended.astype(np.uint8))


def _orientation(photo: Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = photo.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF beside a sound photo: shown as stored, as galleries do
        return 1
    return value if isinstance(value, int) else 1


def _oddities(photo: Image) -> list[str]:
    odd = []
    if _orientation(photo) in range(2, 9):
        odd.append("turned upright")
    if photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info:
        odd.append("transparent, set on white")
    if photo.mode == "CMYK":
        odd.append("CMYK, converted without a profile")
    if photo.mode.startswith("I"):
        odd.append("16-bit, high byte taken")
    if getattr(photo, "n_frames", 1) > 1:
        odd.append("animated or of several pages, first one taken")
    return odd


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:80] if lines else type(error).__name__
