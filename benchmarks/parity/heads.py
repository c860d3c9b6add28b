"""Protected heads to compare: torchvision families with random weights, and a network trained on digits here.

No trained ImageNet weights can be had without a download. Random weights are made less unreal: batch norm's
statistics are measured on photos, layer by layer, as training leaves them. Their injector is seeded, not trained.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from photos import calibrating, compared
from torch import nn

from converters.base import HeadProgram
from toolkit.datasets._data import load_data
from toolkit.datasets._preprocess import preprocess_for
from toolkit.datasets._vision import torchvision
from toolkit.inference import seeded
from toolkit.package.goldens import write_goldens
from toolkit.partition.network import Network, export
from toolkit.partition.split import Split, split
from toolkit.pipeline.build import build
from toolkit.pipeline.config import Deploy
from toolkit.protect.protected import Protected, features_of, load_protected
from toolkit.protections import _training
from toolkit.protections.pripro import PriPro
from toolkit.verify.replay import Goldens, read_goldens

TRAINED = "digits_resnet"
#: family -> early cut, middle cut
CUTS = {
    TRAINED: ("layer1", "layer2"),
    "resnet18": ("layer1", "layer2"),
    "mobilenet_v3_small": ("features.1", "features.4"),
    "vgg11_bn": ("features.3", "features.14"),
    "alexnet": ("features.2", "features.5"),
    "efficientnet_b0": ("features.2", "features.4"),
    "resnet50": ("layer1", "layer2"),
    "vgg16": ("features.4", "features.16"),
}
_WEIGHTS = Path(__file__).parents[2] / "build" / "demo-network.safetensors"
_DIGITS, _GREY = (1, 28, 28), 12


@dataclass(frozen=True)
class Case:
    """One protected head, what to calibrate it with, and its goldens."""

    program: HeadProgram
    goldens: Goldens
    weights: str


def make(family: str, cut: str, work: Path) -> Case:
    """Build one case."""
    if family == TRAINED:
        return _trained(cut, work)
    image = (3, 224, 224)
    how = preprocess_for(image)
    torch.manual_seed(0)
    model = torchvision().models.get_model(family, weights=None)
    others = calibrating(how)
    measured = _measure_batch_norm(model, others)
    halves = split(Network(family, export(model, image), image, 1000), cut)
    block = _seeded_injector(halves, others)
    found = Protected(halves, block.eval().requires_grad_(False))
    weights = "random" + (", batch norm measured on photos" if measured else "")
    return _case(found, compared(how), others, how, weights)


def _seeded_injector(halves: Split, images: torch.Tensor) -> PriPro:
    """An injector as it is when training begins, with noise that is turned by a random rotation."""
    generator = seeded(0)
    block = PriPro(features_of(halves.cut.shape))
    _training.reinitialise(block, 0)
    with torch.no_grad():
        block.start_from(halves.head(images), generator)
        rotation = torch.linalg.qr(torch.randn(block.basis.shape[:2], generator=generator)).Q
        block.basis.copy_(rotation[:, :, None, None])
    block.transparency.fill_(0.5)
    return block


def _trained(cut: str, work: Path) -> Case:
    wanted = Deploy.model_validate(
        {
            "bundle": work / f"{TRAINED}-{cut}",
            "network": {"source": TRAINED, "weights": _WEIGHTS, "input": "1x28x28", "cut": cut},
            "protect": {"data": "digits", "max_accuracy_drop": "1%"},
            "convert": {"targets": {}},
        }
    )
    bundle = build(wanted, lambda stage, share, text: None)
    how = bundle.manifest.preprocess
    digits = load_data("digits", how)
    others = digits.victim_train.images[:64]
    return _case(load_protected(bundle), digits.test.images[:_GREY], others, how, "trained on digits")


def _case(found: Protected, images: torch.Tensor, others: torch.Tensor, how: object, weights: str) -> Case:
    labels = torch.full((len(images),), -1)
    with tempfile.TemporaryDirectory() as folder:
        write_goldens(found, images, labels, how, 7, Path(folder))
        goldens = read_goldens(Path(folder) / "inputs.safetensors", Path(folder) / "expected.safetensors")
    eps = found.protection.draw_eps(1, seeded(3))
    program = HeadProgram(found.split.head, found.protection, others[:1], eps, [image[None] for image in others])
    return Case(program, goldens, weights)


def _measure_batch_norm(model: nn.Module, images: torch.Tensor) -> bool:
    """Set running statistics to those of real photos, as far as the model has any."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # plain average over batches
    model.eval()
    if not norms:
        return False
    for layer in norms:
        layer.train()
    with torch.no_grad():
        for _ in range(2):  # later layers see what earlier ones measured
            for batch in images.split(14):
                model(batch)
    model.eval()
    return True
