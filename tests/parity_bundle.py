"""A small bundle for parity tests: a network trained on crops of real colour photos, and how to plant faults in it.

The photos are those that scikit-image ships; a crop's class is the photo that it was cut from.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from converters.base import HeadProgram
from toolkit.bundle import Bundle
from toolkit.convert.heads import convert, converter, plan_heads
from toolkit.datasets._data import load_data
from toolkit.datasets._preprocess import preprocess_for
from toolkit.package.settings import PackageSettings
from toolkit.package.tail import package
from toolkit.partition.begin import partition
from toolkit.partition.network import Network, export
from toolkit.protect.fuse import protect
from toolkit.protect.settings import ProtectSettings

SIDE = 24
PHOTOS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "ihc.png")
_CROPS = 80
CUT = "1"


def network() -> nn.Sequential:
    """3 x 24 x 24 -> 5 classes; the cut is behind the second block."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, stride=2), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, len(PHOTOS))),
    )


def write_crops(folder: Path) -> None:
    """One folder per photo with crops of it."""
    import skimage

    rng = np.random.default_rng(0)
    for name in PHOTOS:
        photo = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
        (folder / name).mkdir(parents=True)
        for number in range(_CROPS):
            side = int(min(photo.size) * rng.uniform(0.3, 0.7))
            left, top = (int(rng.integers(0, size - side + 1)) for size in photo.size)
            crop = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
            crop.save(folder / name / f"{number:03}.png")


def trained(data: str) -> nn.Module:
    """The network after a few seconds of training."""
    torch.manual_seed(0)
    model = network()
    train = load_data(data, preprocess_for((3, SIDE, SIDE)), labels=PHOTOS).victim_train
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(15):
        for index in torch.randperm(len(train)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train.images[index]), train.labels[index]).backward()
            optimizer.step()
    return model.eval()


def build(root: Path, cut: str = CUT) -> Bundle:
    """Partitioned, protected and packaged; heads are added by `with_head`."""
    crops = root.parent / "crops"
    if not crops.exists():
        write_crops(crops)
    data, image = f"folder:{crops}", (3, SIDE, SIDE)
    made = Network("crops", export(trained(data), image), image, len(PHOTOS))
    bundle = partition(made, cut, root, preprocess=preprocess_for(image), labels=list(PHOTOS))
    protect(bundle, ProtectSettings(method="pripro", data=data, epochs=2, batch_size=16))
    package(bundle, PackageSettings(goldens=8))
    return bundle


@functools.cache
def shared() -> Bundle:
    """One bundle with .onnx heads for all tests of a run; copy it before planting a fault."""
    folder = tempfile.mkdtemp(prefix="pripro-parity-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bundle = build(Path(folder) / "bundle")
    for precision in ("fp32", "int8"):
        with_head(bundle, "onnx", precision)
    return bundle


def with_head(bundle: Bundle, target: str, precision: str) -> Path:
    """Convert one head as a user does; returns its entry."""
    convert(bundle, plan_heads([target], [precision]))
    return entry_of(bundle, target, precision)


def entry_of(bundle: Bundle, target: str, precision: str) -> Path:
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == (target, precision))
    return bundle.root / head.entry


def copy_of(bundle: Bundle, folder: Path) -> Bundle:
    """A bundle of its own to plant a fault in."""
    shutil.copytree(bundle.root, folder)
    return Bundle.open(folder)


def replace_file(bundle: Bundle, target: str, precision: str, data: bytes) -> None:
    """Put other bytes into a head's one file, and let the manifest say so: a fault, not a damaged download."""
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == (target, precision))
    name = Path(head.entry).name
    with bundle.extending() as stage:
        made = stage.scratch("head")
        (made / name).write_bytes(data)
        (ref,) = stage.keep(made, f"head/{target}")
        others = [h for h in bundle.manifest.heads if h is not head]
        heads = [*others, head.model_copy(update={"entry": ref.path, "files": [ref]})]
        bundle.commit(bundle.manifest.model_copy(update={"heads": heads}))


@contextmanager
def faulty_converter(target: str, damage):
    """Let a converter convert what `damage` makes of the head that it is given."""
    kind = type(converter(target))
    right = {name: getattr(kind, name) for name in ("convert", "steps")}

    def convert(self, head: HeadProgram, out: Path, **how):
        return right["convert"](self, damage(head), out, **how)

    def steps(self, head: HeadProgram, inputs, **how):
        return right["steps"](self, damage(head), inputs, **how)

    kind.convert, kind.steps = convert, steps
    try:
        yield
    finally:
        kind.convert, kind.steps = right["convert"], right["steps"]
