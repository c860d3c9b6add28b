"""One definition of "the photo": what each odd file becomes, and which files are none."""

import io

import numpy as np
import pytest
from photo_files import encoded, frames_of, odd_files, photo, turned
from PIL import Image

from toolkit.datasets._photo import NotAPhotoError, check_photo, read_photo

ODD = odd_files()
NONE = {
    "empty.jpg": "empty",
    "cut-short.jpg": "cut short",
    "cut-short.png": "cut short",
    "page.jpg": "a web page",
    "pointer.png": "a Git LFS pointer",
    "noise.jpg": "not an image",
    "float.tiff": "floating-point",
    "huge.png": "more than 100 megapixels",
    "._plain.jpg": "AppleDouble",
    ".DS_Store": "not an image",
    "notes.txt": "not an image",
    "live.heic": "not an image",
}


def near(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


@pytest.mark.parametrize("name", sorted(set(ODD) - set(NONE)))
def test_what_can_be_read_is_upright_rgb(name):
    made = read_photo(ODD[name])
    assert made.mode == "RGB"
    check_photo(ODD[name])


@pytest.mark.parametrize("name", sorted(NONE))
def test_what_is_no_photo_says_why(name):
    for look in (read_photo, check_photo):
        with pytest.raises(NotAPhotoError, match=NONE[name]):
            look(ODD[name])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_turned_upright(orientation, kind):
    """Stored as it is, a sideways JPEG cost a network 98.3 % -> 11.7 %."""
    stored = Image.open(io.BytesIO(turned(3, 1, kind))).convert("RGB")
    turns = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_270],
        7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_90],
    }  # fmt: skip
    expected = stored
    for turn in turns[orientation]:
        expected = expected.transpose(turn)
    assert near(read_photo(turned(3, orientation, kind)), expected) == 0


@pytest.mark.parametrize("orientation", [0, 9, 65535, -1])
def test_an_orientation_that_does_not_exist_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation & 0xFFFF
    assert near(read_photo(encoded(photo(3), "PNG", exif=exif)), photo(3)) == 0


def test_damaged_exif_beside_a_sound_photo_does_not_hurt():
    data = encoded(photo(3), "PNG", exif=b"Exif\x00\x00garbage")
    assert near(read_photo(data), photo(3)) == 0


def test_transparency_lies_on_white():
    pixels = np.zeros((1, 4, 4), np.uint8)
    pixels[0, :, :3] = [[200, 100, 50], [200, 100, 50], [0, 0, 0], [7, 7, 7]]
    pixels[0, :, 3] = [255, 128, 0, 1]
    made = np.asarray(read_photo(encoded(Image.fromarray(pixels))))
    assert made[0].tolist() == [[200, 100, 50], [227, 177, 152], [255, 255, 255], [254, 254, 254]]


def test_sixteen_bits_give_their_high_byte_not_white():
    """Pillow's own conversion clips at 255: nearly every 16-bit photo became white."""
    deep = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    made = np.asarray(read_photo(encoded(Image.fromarray(deep))))
    assert made[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_a_grey_photo_and_a_palette_keep_their_values():
    grey = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    made = np.asarray(read_photo(encoded(grey)))
    assert (made == np.asarray(grey)[..., None]).all()
    palette = photo(1).quantize(8)
    assert near(read_photo(encoded(palette)), palette.convert("RGB")) == 0


def test_of_several_frames_the_first_is_the_photo():
    for name in ("animated.gif", "animated.png", "pages.tiff"):
        assert near(read_photo(ODD[name]), frames_of(ODD[name])[0]) == 0


def test_cmyk_is_the_product_of_inverted_inks():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [100, 50, 200, 30]]], np.uint8)
    made = np.asarray(read_photo(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))).astype(int)
    expected = (255 - inks[..., :3].astype(int)) * (255 - inks[..., 3:].astype(int)) / 255
    assert np.abs(made - expected).max() <= 1


def test_a_colour_profile_does_not_change_the_numbers():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert near(read_photo(encoded(photo(2), icc_profile=profile)), photo(2)) == 0


def test_what_is_odd_is_said():
    assert check_photo(ODD["plain.jpg"]) == []
    for name, words in {
        "sideways.jpg": "upright", "alpha.png": "white", "palette-clear.png": "white", "cmyk.jpg": "CMYK",
        "deep.png": "16-bit", "animated.gif": "first one",
    }.items():  # fmt: skip
        assert any(words in said for said in check_photo(ODD[name])), name


def test_every_way_of_cutting_a_photo_short_is_noticed():
    sound = encoded(photo(1, 200, 150), "JPEG", quality=90)
    assert check_photo(sound) == []
    for end in (1, 10, 100, len(sound) // 2, len(sound) - 3):
        with pytest.raises(NotAPhotoError):
            check_photo(sound[:end])
        with pytest.raises(NotAPhotoError):
            read_photo(sound[:end])


def test_bytes_behind_a_photo_do_not_matter():
    """Motion photos of phones carry a film behind the picture."""
    data = encoded(photo(1), "JPEG", quality=95)
    assert near(read_photo(data + b"\x00" * 1000), Image.open(io.BytesIO(data))) == 0
