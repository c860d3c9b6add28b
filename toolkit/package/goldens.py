"""Goldens: inputs, fixed eps and eager torch's answers, which travel with the bundle to every phone.

Real images come first. After them come rows that are chosen to be hard: one photo without noise and with noise
saturated at six sigma, images of one colour, and images of the extreme pixel values only. The metadata of
inputs.safetensors name each row in `rows`, a JSON list; a reader that skips metadata sees n rows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from cloud_tail.coder import Coder

from ..datasets._data import load_photos
from ..datasets._recorded import recorded_data
from ..errors import MovedDataError
from ..inference import seeded
from ..protect.protected import Protected
from ..protect.waist.tables import as_coding, to_codes
from .cases import ALTERNATING, BLACK, GREY, NO_NOISE, OTHER_DRAW, PHOTO, SATURATED, SPECKLE, SWINGING, WHITE
from .noise import memoised_eps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from ..bundle import Bundle
    from ..records.bundle import Manifest, Preprocess

#: changes whenever goldens of the same settings would come out differently
VERSION = 4
#: what eps is saturated at, in standard deviations: beyond it is one value in 500 million
_SIX_SIGMA = 6.0
#: photos with further draws of eps; behind a waist noise moves one or two codes of a photo, too few to judge it by
_TWINNED, _TWINNED_BEHIND_WAIST = 1, 3


def golden_images(
    bundle: Bundle,
    count: int,
    photos: Path | None,
    data: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[Tensor, Tensor]:
    """Choose images [n,C,H,W] and labels [n] (-1 where unknown): photos given, test images, or noise without data.

    Args:
        bundle: protected.
        count: how many.
        photos: a folder to take them from.
        data: where the photos are now that the bundle was protected with.
        tell: called with one sentence where those photos are gone and noise takes their place.
    """
    manifest = bundle.manifest
    if photos is not None:
        images = load_photos(photos, manifest.preprocess)[:count]
        return images, torch.full((len(images),), -1, dtype=torch.int64)
    try:
        found = recorded_data(manifest, data)
    except MovedDataError as error:
        # the tail itself needs no photo, and what the goldens compare is arithmetic
        tell(f"{error} The goldens are made of noise; --goldens FOLDER makes them of photos.")
        found = None
    if found is not None:
        test = found.test.first(count)
        return test.images, test.labels
    images = torch.randn(count, *manifest.split.image.shape[1:], generator=seeded(4))
    return images, torch.full((count,), -1, dtype=torch.int64)


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        rows: how many, the hard ones included.
        secret: the device secret that the photos' memoised noise was drawn with, or None where it is fresh.
    """

    rows: int
    secret: bytes | None


@torch.no_grad()
def write_goldens(
    found: Protected,
    images: Tensor,
    labels: Tensor,
    preprocess: Preprocess,
    seed: int,
    out: Path,
    manifest: Manifest | None = None,
) -> Written:
    """Write inputs.safetensors, expected.safetensors and, with a waist, messages.safetensors into the folder `out`.

    Args:
        found: the protected head and its tail.
        images: [n,C,H,W], real ones.
        labels: [n].
        preprocess: what the extreme pixel values are after it.
        seed: of eps; each row also gets a second draw, to show that another eps gives another output.
        out: an existing empty folder.
        manifest: of the protected bundle, for memoised noise and messages; None: fresh noise.
    """
    generator = seeded(seed)
    hard = _hard_images(images[0].shape, preprocess, generator)
    secret = None
    record = None if manifest is None else manifest.protection
    waist = None if record is None else record.waist
    twinned = 0
    if found.protection.eps_shape() is not None:
        twinned = min(_TWINNED if waist is None else _TWINNED_BEHIND_WAIST, len(images))
    rows = [PHOTO] * len(images) + [OTHER_DRAW, NO_NOISE, SWINGING, SATURATED] * twinned + list(hard)
    images = torch.cat([images, images[:twinned].repeat_interleave(4, dim=0), torch.stack(list(hard.values()))])
    eps, other = (found.protection.draw_eps(len(rows), generator) for _ in range(2))
    if eps is not None and manifest is not None and record is not None and record.noise == "memoised":
        secret = hashlib.sha256(f"goldens {seed}".encode()).digest()
        shapes = [tuple(eps.shape[1:])]
        eps = torch.from_numpy(memoised_eps(secret, manifest.compute_id(), images.numpy(), shapes)[0].copy())
    if eps is not None:
        for index, row in enumerate(rows):
            if row == OTHER_DRAW:
                eps[index] = torch.randn(eps.shape[1:], generator=generator)
            elif row == NO_NOISE:
                eps[index] = 0.0
            elif row == SWINGING:
                eps[index] = _SIX_SIGMA * (torch.randint(0, 2, eps.shape[1:], generator=generator) * 2.0 - 1.0)
            elif row == SATURATED:
                eps[index] = _SIX_SIGMA
    labels = torch.cat([labels, torch.full((len(rows) - len(labels),), -1, dtype=torch.int64)])
    inputs = {"image": images} | ({} if eps is None or other is None else {"eps": eps, "eps_other": other})
    # one image at a time: a phone's head has batch 1, and batched kernels may round differently
    smashed = torch.cat(
        [found.smash(images[i : i + 1], None if eps is None else eps[i : i + 1]) for i in range(len(images))]
    )
    logits = torch.cat([found.split.tail(row) for row in smashed.split(1)])
    save_file(
        {name: value.contiguous() for name, value in inputs.items()},
        out / "inputs.safetensors",
        metadata={"rows": json.dumps(rows)},
    )
    expected = {"smashed": smashed, "logits": logits, "label": labels}
    save_file({name: value.contiguous() for name, value in expected.items()}, out / "expected.safetensors")
    if waist is not None:
        coder = Coder(as_coding(waist.coding), tuple(waist.shape))
        messages = (coder.encode(row) for row in to_codes(smashed).numpy())
        save_file(
            {f"message_{i}": torch.frombuffer(bytearray(each), dtype=torch.uint8) for i, each in enumerate(messages)},
            out / "messages.safetensors",
        )
    return Written(len(rows), secret)


def _hard_images(shape: torch.Size, how: Preprocess, generator: torch.Generator) -> dict[str, Tensor]:
    """Name -> image [C,H,W]: one colour, or nothing but the darkest and the brightest value."""
    channels, height, width = shape
    mean, std = (torch.tensor(values).reshape(channels, 1, 1) for values in (how.mean, how.std))
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    pixels = {
        BLACK: torch.zeros(shape),
        WHITE: torch.ones(shape),
        GREY: torch.full(shape, 0.5),
        ALTERNATING: board.expand(shape).float(),
        SPECKLE: torch.randint(0, 2, shape, generator=generator).float(),
    }
    return {name: (image - mean) / std for name, image in pixels.items()}
