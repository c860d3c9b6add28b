"""Networks of the kinds that no library here builds: they stand for what people deploy beside classifiers.

Random weights from a fixed seed, so that two runs cut the same network.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional


def _step(inner: int, width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())


class ClipTower(nn.Module):
    """An image tower as CLIP's: patches, class token, pre-norm transformer, projection to a unit vector [B,128]."""

    def __init__(self, side: int = 96, patch: int = 16, width: int = 192, depth: int = 6, out: int = 128) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        self.before = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 6, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.after = nn.LayerNorm(width)
        self.project = nn.Linear(width, out, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(image.shape[0], -1, -1), tokens], 1)
        tokens = self.before(tokens + self.position)
        for block in self.blocks:
            tokens = block(tokens)
        return functional.normalize(self.project(self.after(tokens[:, 0])), dim=1)


class UNet(nn.Module):
    """Four levels and three skips; a mask of two classes [B,2,H,W]. Cut in the middle, four tensors cross."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.down1, self.down2 = _step(3, width), _step(width, 2 * width)
        self.down3, self.middle = _step(2 * width, 4 * width), _step(4 * width, 8 * width)
        self.up3, self.up2 = _step(12 * width, 4 * width), _step(6 * width, 2 * width)
        self.up1, self.last = _step(3 * width, width), nn.Conv2d(width, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(functional.max_pool2d(first, 2))
        third = self.down3(functional.max_pool2d(second, 2))
        deep = self.middle(functional.max_pool2d(third, 2))
        deep = self.up3(torch.cat([functional.interpolate(deep, scale_factor=2.0), third], 1))
        deep = self.up2(torch.cat([functional.interpolate(deep, scale_factor=2.0), second], 1))
        deep = self.up1(torch.cat([functional.interpolate(deep, scale_factor=2.0), first], 1))
        out: Tensor = self.last(deep)
        return out


class Heatmaps(nn.Module):
    """One map a joint [B,8,H/4,W/4], as pose networks answer."""

    def __init__(self, width: int = 32, joints: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(_step(3, width, 2), _step(width, width, 2))
        self.body = nn.Sequential(*(_step(width, width) for _ in range(3)))
        self.up = nn.Sequential(_step(width, 2 * width, 2), nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.ReLU())
        self.maps = nn.Conv2d(width, joints, 1)

    def forward(self, image: Tensor) -> Tensor:
        maps: Tensor = self.maps(self.up(self.body(self.stem(image))))
        return torch.sigmoid(maps)


class Detector(nn.Module):
    """As SSD: boxes and scores of two scales, up to the last tensor operator; decoding and NMS are the caller's."""

    def __init__(self, width: int = 32, anchors: int = 3, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(_step(3, width, 2), _step(width, width, 2), _step(width, 2 * width, 2))
        self.large, self.small = _step(2 * width, 2 * width), _step(2 * width, 2 * width, 2)
        self.boxes = nn.ModuleList(nn.Conv2d(2 * width, 4 * anchors, 3, padding=1) for _ in range(2))
        self.scores = nn.ModuleList(nn.Conv2d(2 * width, classes * anchors, 3, padding=1) for _ in range(2))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        large = self.large(self.stem(image))
        scales = (large, self.small(large))
        boxes = [layer(maps).flatten(2) for layer, maps in zip(self.boxes, scales, strict=True)]
        scores = [layer(maps).flatten(2) for layer, maps in zip(self.scores, scales, strict=True)]
        return {"boxes": torch.cat(boxes, 2), "scores": torch.cat(scores, 2)}


class Regression(nn.Module):
    """One number a photo [B,1]: age, depth, a count."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.stem = nn.Sequential(_step(3, width, 2), _step(width, 2 * width, 2), _step(2 * width, 4 * width, 2))
        self.body = _step(4 * width, 4 * width, 2)
        self.last = nn.Linear(4 * width, 1)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.last(self.body(self.stem(image)).mean((2, 3)))
        return out


def clip_tower() -> nn.Module:
    torch.manual_seed(0)
    return ClipTower().eval()


def unet() -> nn.Module:
    torch.manual_seed(0)
    return UNet().eval()


def heatmaps() -> nn.Module:
    torch.manual_seed(0)
    return Heatmaps().eval()


def detector() -> nn.Module:
    torch.manual_seed(0)
    return Detector().eval()


def regression() -> nn.Module:
    torch.manual_seed(0)
    return Regression().eval()


def vit_b_16() -> nn.Module:
    """Torchvision's, whose last layer starts at nothing: its answers would all be zero."""
    torch.manual_seed(0)
    network = torchvision.models.vit_b_16()
    nn.init.normal_(network.heads.head.weight, std=0.05)
    return network.eval()


def faces() -> nn.Module:
    """FaceNet's InceptionResnetV1 with random weights: a face as a unit vector [B,512]. Needs facenet-pytorch."""
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    return InceptionResnetV1(pretrained=None, classify=False).eval()
