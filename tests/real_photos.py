"""Real photos that installed packages ship, and how networks of torchvision and timm want theirs prepared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from photo_files import encoded
from PIL import Image

from toolkit.datasets._vision import torchvision

#: resize 256 / crop 224 bilinear, another ratio, bicubic, no ratio at all, 299, bytes' mean; six of each library
CONFIGURATIONS = [
    "torchvision:resnet50",
    "torchvision:convnext_tiny",
    "torchvision:efficientnet_b0",
    "torchvision:swin_v2_t",
    "torchvision:inception_v3",
    "torchvision:VGG16_Weights.IMAGENET1K_FEATURES",
    "timm:resnet50",
    "timm:mobilenetv3_large_100",
    "timm:vit_base_patch16_224",
    "timm:beit_base_patch16_224",
    "timm:convnext_tiny",
    "timm:vit_base_patch16_siglip_224",
]


def library_transform(name: str) -> Callable[[Image.Image], torch.Tensor]:
    """The library's own way from a photo to the network's input."""
    library, network = name.split(":")
    models = torchvision().models
    if library == "torchvision":
        named = "_Weights" in network
        return (models.get_weight(network) if named else models.get_model_weights(network).DEFAULT).transforms()
    import timm
    from timm.data import create_transform, resolve_data_config

    return create_transform(**resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(network).to_dict()))


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
