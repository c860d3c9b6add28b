"""Operators on the last two axes that take positions: cropping and resampling."""

import torch
from torch import Tensor

from ..values import room_for
from ._arguments import whole


def crop(x: Tensor, crop_height: Tensor, crop_width: Tensor) -> Tensor:
    """Leave out rows and columns at both ends."""
    (top, bottom), (left, right) = whole(crop_height), whole(crop_width)
    height, width = x.shape[-2:]
    if min(top, bottom, left, right) < 0 or top + bottom >= height or left + right >= width:
        raise ValueError(f"crop {[top, bottom, left, right]} of {height} x {width}")
    return x[..., top : height - bottom, left : width - right]


def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: str,
    padding_mode: str,
    padding_value: Tensor | float,
    coordinates_mode: str,
    align_corners: Tensor | bool,
) -> Tensor:
    """x [B,C,H,W] at coordinates [B,h,w,2] given as (x, y) -> [B,C,h,w]."""
    ways = {"constant": "zeros", "border": "border"}
    if padding_mode == "reflection" and align_corners:
        ways["reflection"] = "reflection"
    if padding_mode == "symmetric" and not align_corners:
        ways["symmetric"] = "reflection"
    if padding_mode not in ways or coordinates_mode not in _TO_ONE or sampling_mode not in ("bilinear", "nearest"):
        raise ValueError(f"{sampling_mode} sampling of {coordinates_mode} coordinates with {padding_mode} padding")
    room_for([*x.shape[:2], *coordinates.shape[1:3]], "A resampled tensor")
    size = torch.tensor([x.shape[-1], x.shape[-2]], dtype=torch.float32)
    grid = _TO_ONE[coordinates_mode](coordinates.float(), size, bool(align_corners))
    # torch pads with zeros: the value is taken away before, and given back after
    fill = float(padding_value) if padding_mode == "constant" else 0.0
    made = torch.nn.functional.grid_sample(
        x - fill, grid, sampling_mode, ways[padding_mode], align_corners=bool(align_corners)
    )
    return made + fill


def _from_pixels(grid: Tensor, size: Tensor, align_corners: bool) -> Tensor:
    return grid * 2 / (size - 1).clamp(min=1) - 1 if align_corners else (grid * 2 + 1) / size - 1


#: MIL's name -> (coordinates, sizes [2] as (W, H), align_corners) -> coordinates in [-1, 1]
_TO_ONE = {
    "normalized_minus_one_to_one": lambda grid, size, align_corners: grid,
    "normalized_zero_to_one": lambda grid, size, align_corners: 2 * grid - 1,
    "unnormalized": _from_pixels,
}
