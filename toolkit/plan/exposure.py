"""A quick, named proxy of privacy per cut: distance correlation between photos and unprotected features.

It is no substitute for an attack (`pripro evaluate`): it knows neither the protection nor an attacker. It orders
cuts by how much the features still vary with the photo. Source: Szekely et al., Annals of Statistics 35(6), 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.fx import Interpreter, Node

from ..partition.graph import to_graph
from ..protections._dependence import distance_correlation

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..partition.cuts import Cut
    from ..partition.network import Network

CROPS = 48


def distance_correlations(network: Network, cuts: Sequence[Cut], photos: Sequence[Image]) -> dict[str, float]:
    """Estimate {cut: distance correlation in [0, 1]} over 48 random crops of the photos."""
    images = _crops(photos, network.image)
    wanted = {cut.node: cut.name for cut in cuts}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in wanted.values()}

    class Watching(Interpreter):
        def run_node(self, n: Node) -> object:
            result = super().run_node(n)
            if n.name in wanted and isinstance(result, torch.Tensor):
                found[wanted[n.name]].append(result.flatten(1))
            return result

    with torch.no_grad():
        # one by one: early features of large photos take megabytes each
        for image in images:
            Watching(to_graph(network.program)).run(image[None])
    return {name: float(distance_correlation(images, torch.cat(rows))) for name, rows in found.items()}


def _crops(photos: Sequence[Image], shape: tuple[int, int, int]) -> torch.Tensor:
    """Random square crops, normalised per channel: [48,C,H,W]."""
    channels, height, width = shape
    generator = np.random.default_rng(0)
    crops = []
    for index in range(CROPS):
        photo = photos[index % len(photos)]
        side = int(min(photo.size) * generator.uniform(0.4, 1.0))
        left = int(generator.integers(0, photo.width - side + 1))
        top = int(generator.integers(0, photo.height - side + 1))
        crop = photo.crop((left, top, left + side, top + side)).resize((width, height))
        pixels = np.asarray(crop.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / 255
        crops.append(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))
    images = torch.from_numpy(np.stack(crops))
    return (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True)
