"""Preprocessing: ten configurations of torchvision and timm to 1/255, on real photos; what does not fit is refused."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from real_photos import CONFIGURATIONS, library_transform, real_photos

from toolkit.datasets._library import preprocess_of
from toolkit.datasets._photo import read_photo
from toolkit.datasets._preprocess import apply, normalised, pixels, preprocess_for
from toolkit.datasets._vision import torchvision
from toolkit.errors import InputError, UnknownNameError


def test_center_crop_keeps_the_middle_and_stretch_keeps_all():
    field = np.zeros((10, 30, 3), np.uint8)
    field[:, 10:20] = 255
    photo = Image.fromarray(field)
    kept = apply(photo, preprocess_for((3, 10, 10), [0, 0, 0], [1, 1, 1], "center-crop"))
    assert kept.min() == 1
    stretched = apply(photo, preprocess_for((3, 10, 10), [0, 0, 0], [1, 1, 1]))
    assert stretched.min() == 0


@pytest.mark.parametrize("shape", [(2, 8, 8), (4, 8, 8)])
def test_other_channel_counts_are_refused(shape):
    with pytest.raises(InputError, match="channels"):
        preprocess_for(shape)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"resize": "fit"}, "There is no resize 'fit'; choose one of"),
        ({"resize": "shorter-side"}, "belong together"),
        ({"shorter_side": 256}, "belong together"),
        ({"resize": "shorter-side", "shorter_side": 0}, "belong together"),
        ({"interpolation": "lanczos"}, "There is no interpolation 'lanczos'; choose one of"),
        ({"order": "GBR"}, "order"),
        ({"value_range": 2}, "value_range"),
        ({"std": [1.0, 0.0, 1.0]}, "std above 0"),
    ],
)
def test_values_that_do_not_fit_are_refused(fields, sentence):
    with pytest.raises(InputError, match=sentence):
        preprocess_for((3, 8, 8), **fields)


def differences(how, transform) -> list[float]:
    """Largest differences from a library's own tensors, in code values of 255."""
    worst = []
    for _, data in real_photos():
        photo = read_photo(data)
        expected = transform(photo).numpy()
        made = normalised(pixels(photo, how)[None], how)[0]
        assert made.shape == expected.shape
        std = np.asarray(how.std, np.float32).reshape(-1, 1, 1)
        worst.append(float((np.abs(made - expected) * std).max() * 255))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_librarys_own_tensors(name):
    assert max(differences(preprocess_of(name), library_transform(name))) <= 1.0


def test_padding_is_timms_border_mode():
    torchvision()
    from timm.data import create_transform

    how = preprocess_for((3, 96, 96), resize="pad", interpolation="bicubic")
    config = {"input_size": (3, 96, 96), "crop_pct": 1.0, "crop_mode": "border", "interpolation": "bicubic"}
    assert max(differences(how, create_transform(**config, mean=tuple(how.mean), std=tuple(how.std)))) <= 1.0


def test_without_antialiasing_it_is_torchvisions_on_tensors():
    functional = torchvision().transforms.functional
    how = preprocess_for((3, 100, 120), antialias=False)

    def transform(photo):
        bytes_of = torch.from_numpy(np.asarray(photo).transpose(2, 0, 1).copy())
        small = functional.resize(bytes_of, [100, 120], antialias=False).float() / 255
        return (small - torch.tensor(how.mean).view(3, 1, 1)) / torch.tensor(how.std).view(3, 1, 1)

    assert max(differences(how, transform)) <= 1.0 + 1e-3


def test_the_photo_of_an_opaque_file_is_what_training_loaders_open():
    for name, data in real_photos():
        if name != "alpha.png":
            opened = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            assert np.array_equal(np.asarray(opened), np.asarray(read_photo(data))), name


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("resnet50", InputError, "give torchvision:NAME or timm:NAME"),
        ("keras:resnet50", InputError, "give torchvision:NAME or timm:NAME"),
        ("torchvision:resnet5", UnknownNameError, "did you mean"),
        ("torchvision:NoSuch_Weights.IMAGENET1K_V1", UnknownNameError, "There is no torchvision network"),
        ("timm:resnet5", UnknownNameError, "did you mean"),
    ],
)
def test_names_that_do_not_exist(name, kind, sentence):
    with pytest.raises(kind, match=sentence):
        preprocess_of(name)


def test_another_input_than_the_librarys_is_refused():
    with pytest.raises(InputError, match="give --input 3x224x224"):
        preprocess_of("torchvision:resnet50", (3, 96, 96))


def test_what_the_manifest_cannot_say_is_refused():
    torchvision()
    import timm

    squashed = next(
        name for name in timm.list_models()
        if (found := timm.get_pretrained_cfg(name)) and found.crop_mode == "squash" and 0.5 < found.crop_pct < 1
    )  # fmt: skip
    with pytest.raises(InputError, match="which the manifest cannot record"):
        preprocess_of(f"timm:{squashed}")
