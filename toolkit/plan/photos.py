"""What cloud-only would send: real photos as JPEG, as they are and resized to the network's input."""

from __future__ import annotations

import io
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets._files import PHOTO_SUFFIXES, LeftOut, photo_files
from ..datasets._photo import NotAPhotoError, read_photo
from ..errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY, WEBP_QUALITY = 90, 80
#: photos of scikit-image that lie inside its package
_SAMPLES = ("astronaut", "coffee", "chelsea", "rocket")


@dataclass(frozen=True)
class Upload:
    """Median bytes of one photo.

    Attributes:
        as_is: of the photo at its own size, JPEG (a JPEG file counts as it lies on the disk).
        resized: of the photo resized to the network's input, JPEG of quality 90.
        resized_webp: the same as WebP of quality 80.
        source: which photos, for people.
        photos: the photos, RGB.
    """

    as_is: int
    resized: int
    resized_webp: int
    source: str
    photos: tuple[Image, ...]


def upload_of(folder: Path | None, height: int, width: int, most: int = 64) -> Upload:
    """Look at the photos of a folder, or at four that ship with scikit-image.

    Raises:
        InputError: no photo in the folder, or one that cannot be read.
    """
    if folder is None:
        sizes, photos = _samples()
        source = f"{len(photos)} photos of scikit-image, JPEG quality {QUALITY}"
    else:
        sizes, photos = _from_folder(folder, most)
        source = f"{len(photos)} photos of {folder}"
    small = [photo.resize((width, height)) for photo in photos]
    jpeg, webp = ([size(photo) for photo in small] for size in (_jpeg, _webp))
    as_is, resized, resized_webp = (int(statistics.median(found)) for found in (sizes, jpeg, webp))
    return Upload(as_is, resized, resized_webp, source, tuple(photos))


def _from_folder(folder: Path, most: int) -> tuple[list[int], list[Image]]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give --photos a folder of JPEG or PNG files.")
    paths = [folder / name for name in itertools.islice(photo_files(folder, LeftOut()), most)]
    if not paths:
        raise InputError(
            f"{folder} holds no photo ({', '.join(sorted(PHOTO_SUFFIXES))}); give --photos another folder."
        )
    sizes, photos = [], []
    for path in paths:
        try:
            photo = read_photo(path.read_bytes())
        except (OSError, NotAPhotoError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{path} is not a readable photo ({why}); remove it or repair it.") from None
        is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
        sizes.append(path.stat().st_size if is_jpeg else _jpeg(photo))
        photos.append(photo)
    return sizes, photos


def _samples() -> tuple[list[int], list[Image]]:
    try:
        from skimage import data
    except ModuleNotFoundError:
        raise MissingExtraError("scikit-image", "privacy", "Planning without --photos") from None
    from PIL import Image as images

    photos: Sequence[Image] = [images.fromarray(getattr(data, name)()).convert("RGB") for name in _SAMPLES]
    return [_jpeg(photo) for photo in photos], list(photos)


def _bytes(photo: Image, kind: str, quality: int) -> int:
    stream = io.BytesIO()
    photo.save(stream, kind, quality=quality)
    return len(stream.getvalue())


def _jpeg(photo: Image) -> int:
    return _bytes(photo, "JPEG", QUALITY)


def _webp(photo: Image) -> int:
    return _bytes(photo, "WEBP", WEBP_QUALITY)
