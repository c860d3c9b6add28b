"""Preprocessing: ten configurations of torchvision and timm to 1/255, on real photos; what does not fit is refused."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_files import encoded
from PIL import Image, ImageOps

from toolkit.datasets._library import preprocess_of
from toolkit.datasets._photo import read_photo
from toolkit.datasets._preprocess import apply, normalised, pixels, preprocess_for
from toolkit.datasets._vision import torchvision
from toolkit.errors import InputError, UnknownNameError

#: resize 256 / crop 224 bilinear, another ratio, bicubic, no ratio at all, 299, bytes' mean
TORCHVISION = [
    "resnet50",
    "convnext_tiny",
    "efficientnet_b0",
    "swin_v2_t",
    "inception_v3",
    "VGG16_Weights.IMAGENET1K_FEATURES",
]
TIMM = [
    "resnet50",
    "mobilenetv3_large_100",
    "vit_base_patch16_224",
    "beit_base_patch16_224",
    "convnext_tiny",
    "vit_base_patch16_siglip_224",
]


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


@cache
def real_photos() -> list[tuple[str, bytes]]:
    """Twenty files from real photos that installed packages ship: odd sizes, all orientations, grey, alpha."""
    import skimage
    from sklearn.datasets import load_sample_images

    china, flower = (Image.fromarray(image) for image in load_sample_images().images)
    astronaut = Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")
    files = [
        ("china.jpg", encoded(china, "JPEG", quality=92)),
        ("flower.png", encoded(flower)),
        ("astronaut.png", encoded(astronaut)),
    ]
    for name, photo, box in (
        ("odd", china, (3, 5, 334, 340)), ("narrow", flower, (100, 0, 157, 427)), ("wide", china, (0, 200, 640, 251)),
        ("small", astronaut, (180, 60, 297, 171)), ("exact", flower, (10, 10, 266, 266)),
        ("almost", china, (0, 0, 257, 256)),
    ):  # fmt: skip
        files.append((f"{name}.png", encoded(photo.crop(box))))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append((f"turned-{orientation}.jpg", encoded(china.crop((50, 20, 450, 377)), "JPEG", exif=exif)))
    clear = flower.crop((90, 40, 391, 290)).convert("RGBA")
    clear.putalpha(astronaut.convert("L").resize(clear.size))
    files += [
        ("grey.jpg", encoded(astronaut.convert("L"), "JPEG")),
        ("alpha.png", encoded(clear)),
        ("palette.png", encoded(flower.quantize(64))),
    ]
    return files


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


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_own_tensors(name):
    models = torchvision().models
    weights = models.get_weight(name) if "_Weights" in name else models.get_model_weights(name).DEFAULT
    assert max(differences(preprocess_of(f"torchvision:{name}"), weights.transforms())) <= 1.0


@pytest.mark.parametrize("name", TIMM)
def test_timms_own_tensors(name):
    torchvision()
    import timm
    from timm.data import create_transform, resolve_data_config

    config = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    assert max(differences(preprocess_of(f"timm:{name}"), create_transform(**config))) <= 1.0


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
