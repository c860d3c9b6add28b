"""Preprocessing as a library says it for its own network: `torchvision:resnet50`, `timm:NAME`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import InputError, MissingExtraError, UnknownNameError
from ._preprocess import INTERPOLATIONS, preprocess_for

if TYPE_CHECKING:
    from ..records.bundle import Preprocess

_LIBRARIES = ("torchvision", "timm")


def preprocess_of(name: str, image: tuple[int, int, int] | None = None) -> Preprocess:
    """Take the preprocessing that a library's own weights were trained and are tested with.

    Args:
        name: `torchvision:NETWORK`, `torchvision:WEIGHTS` (such as ResNet50_Weights.IMAGENET1K_V1) or `timm:NETWORK`.
        image: the network's input (C, H, W), where it is known; it must be the library's.

    Raises:
        InputError: another form, or preprocessing that the manifest cannot record.
        UnknownNameError: the library has no such network.
        MissingExtraError: the library is not installed.
    """
    library, _, network = name.partition(":")
    if library not in _LIBRARIES or not network:
        raise InputError(f"--preprocess {name!r} does not fit; give torchvision:NAME or timm:NAME.")
    how = _torchvision(network) if library == "torchvision" else _timm(network)
    if image is not None and image != (how.channels, how.height, how.width):
        raise InputError(
            f"{name} is for inputs of {how.channels}x{how.height}x{how.width}, and --input is "
            f"{'x'.join(map(str, image))}; give --input {how.channels}x{how.height}x{how.width}."
        )
    return how


def _torchvision(network: str) -> Preprocess:
    from ._vision import torchvision

    models = torchvision().models
    try:
        weights = models.get_weight(network) if "_Weights." in network else models.get_model_weights(network).DEFAULT
    except (ValueError, AttributeError):
        raise UnknownNameError("torchvision network", network, models.list_models(module=models)) from None
    preset = weights.transforms()
    (side,), (shorter,) = preset.crop_size, preset.resize_size
    return _how(f"torchvision:{network}", (3, side, side), preset.interpolation.value, preset.mean, preset.std, shorter)


def _timm(network: str) -> Preprocess:
    from ._vision import torchvision

    torchvision()  # timm imports it, and it may need help
    try:
        import timm
        from timm.data.config import resolve_data_config
    except ModuleNotFoundError:
        raise MissingExtraError("timm", "timm", "--preprocess timm:NAME") from None
    pretrained = timm.get_pretrained_cfg(network, allow_unregistered=False) if timm.is_model(network) else None
    if pretrained is None:
        raise UnknownNameError("timm network", network, timm.list_models())
    config = resolve_data_config(pretrained_cfg=pretrained.to_dict())  # type: ignore[no-untyped-call]
    name, image, share = f"timm:{network}", config["input_size"], config["crop_pct"]
    filter_name, mean, std = config["interpolation"], config["mean"], config["std"]
    if config["crop_mode"] == "center":
        shorter = {math.floor(side / share) for side in image[1:]}
        if len(shorter) == 1:
            return _how(name, image, filter_name, mean, std, shorter.pop())
    elif share == 1.0:
        resize = "stretch" if config["crop_mode"] == "squash" else "pad"
        return _how(name, image, filter_name, mean, std, None, resize)
    raise InputError(
        f"{name} prepares photos by {config['crop_mode']} with a crop of {share:g} of {image[1]}x{image[2]}, which the "
        "manifest cannot record; choose the nearest --resize, --shorter-side, --mean and --std."
    )


def _how(
    name: str,
    image: tuple[int, int, int],
    interpolation: str,
    mean: list[float],
    std: list[float],
    shorter: int | None,
    resize: str = "shorter-side",
) -> Preprocess:
    if interpolation not in INTERPOLATIONS:
        raise InputError(
            f"{name} resizes photos by {interpolation}, which is not among {', '.join(INTERPOLATIONS)}; choose "
            "the nearest --resize, --interpolation, --mean and --std."
        )
    more = {"interpolation": interpolation, "shorter_side": shorter}
    channels, height, width = image
    return preprocess_for((channels, height, width), list(mean), list(std), resize, **more)
