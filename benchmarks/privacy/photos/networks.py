"""Three networks for 32-pixel photos that two cores can train, cut where layers meet.

ResNet after He et al. (CVPR 2016), basic blocks; AlexNet and VGG-11 with batch normalisation in their CIFAR forms.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

CUTS = {
    "resnet": ("layer1", "layer2", "layer3"),
    "vgg11": ("stage2", "stage3", "stage4"),
    "alexnet": ("stage1", "stage2", "stage3"),
}


class BasicBlock(nn.Module):
    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        same = stride == 1 and inner == width
        project = nn.Sequential(nn.Conv2d(inner, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.shortcut = nn.Identity() if same else project

    def forward(self, maps: Tensor) -> Tensor:
        inside = torch.relu(self.bn1(self.conv1(maps)))
        return torch.relu(self.bn2(self.conv2(inside)) + self.shortcut(maps))


def _step(inner: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(inner, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def resnet(stem: int = 32, widths: tuple[int, ...] = (64, 128, 256), blocks: tuple[int, ...] = (1, 1, 1)) -> nn.Module:
    """Cuts: layer1 (16 x 16), layer2 (8 x 8), layer3 (4 x 4)."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(*_step(3, stem)))
    inner = stem
    for number, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        stage = [BasicBlock(inner if k == 0 else width, width, 2 if k == 0 else 1) for k in range(count)]
        parts[f"layer{number}"] = nn.Sequential(*stage)
        inner = width
    parts["pool"] = nn.AdaptiveMaxPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(inner, 10)
    return nn.Sequential(parts)


def vgg11(width: int = 32) -> nn.Module:
    """Configuration A at half width. Cuts: stage2 (8 x 8), stage3 (4 x 4), stage4 (2 x 2)."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    inner = 3
    for number, (times, count) in enumerate(((1, 1), (2, 1), (4, 2), (8, 2), (8, 2)), start=1):
        layers: list[nn.Module] = []
        for _ in range(count):
            layers += _step(inner, width * times)
            inner = width * times
        parts[f"stage{number}"] = nn.Sequential(*layers, nn.MaxPool2d(2))
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(inner, 10)
    return nn.Sequential(parts)


def alexnet(width: int = 40) -> nn.Module:
    """Five convolutions, three pools, two hidden layers. Cuts: stage1 (16 x 16), stage2 (8 x 8), stage3 (4 x 4).

    Without batch normalisation it does not leave its start in an epoch (loss 2.302).
    """
    first = [nn.Conv2d(3, width, 5, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    last = [*_step(2 * width, 4 * width), *_step(4 * width, 4 * width), *_step(4 * width, 2 * width)]
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        stage1=nn.Sequential(*first, nn.MaxPool2d(2)),
        stage2=nn.Sequential(*_step(width, 2 * width), nn.MaxPool2d(2)),
        stage3=nn.Sequential(*last, nn.MaxPool2d(2)),
        flatten=nn.Flatten(),
        fc6=nn.Sequential(nn.Dropout(0.5), nn.Linear(2 * width * 16, 512), nn.ReLU()),
        fc7=nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 256), nn.ReLU()),
        fc=nn.Linear(256, 10),
    )
    return nn.Sequential(parts)


BUILD: dict[str, Any] = {"resnet": resnet, "vgg11": vgg11, "alexnet": alexnet}


def macs(module: nn.Module, example: Tensor) -> int:
    """Multiply-accumulates of convolutions and linear layers for one example [1,...]."""
    total = 0

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            size = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.weight[:, 0].numel()
            total += out[0].numel() * size
        elif isinstance(layer, nn.Linear):
            total += out[0].numel() // layer.out_features * layer.weight.numel()

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    training = module.training
    module.eval()
    with torch.no_grad():
        module(example)
    module.train(training)
    for hook in hooks:
        hook.remove()
    return total
