"""Small networks, each around one thing that a converter was seen to get wrong, to lack or to refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn import functional

from converters.base import HeadProgram

PIXELS = 32


class Apply(nn.Module):
    """A convolution 3 -> 8 (ReLU unless said otherwise), then a function of its features [B,8,h,w]."""

    def __init__(self, function: Callable[[Tensor], Tensor], stride: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=stride, padding=1)
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(torch.relu(self.conv(image)))


def layers(*more: nn.Module, stride: int = 2) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=stride, padding=1), nn.ReLU(), *more)


class Response(nn.Module):
    """ConvNeXt V2's global response normalisation, as timm writes it: addcmul over channels-last features."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))

    def forward(self, features: Tensor) -> Tensor:
        x = features.permute(0, 2, 3, 1)
        strength = x.norm(p=2, dim=(1, 2), keepdim=True)
        strength = strength / (strength.mean(dim=-1, keepdim=True) + 1e-6)
        x = x + torch.addcmul(self.bias.view(1, 1, 1, -1), self.weight.view(1, 1, 1, -1), x * strength)
        return x.permute(0, 3, 1, 2)


class LinearAttention(nn.Module):
    """MobileViT V2's separable attention: a context vector that broadcasts over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Conv2d(8, 17, 1), nn.Conv2d(8, 8, 1)

    def forward(self, features: Tensor) -> Tensor:
        b, c, h, w = features.shape
        patches = features.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, c, 4, -1)
        query, key, value = torch.split(self.qkv(patches), [1, 8, 8], dim=1)
        context = (key * functional.softmax(query, dim=-1)).sum(dim=-1, keepdim=True)
        return self.out(functional.relu(value) * context.expand_as(value))


class Windows(nn.Module):
    """Swin's shifted windows: roll, a mask written in place, attention inside of windows."""

    def forward(self, features: Tensor) -> Tensor:
        b, c, h, w = features.shape
        x = torch.roll(features, (-2, -2), (2, 3)).reshape(b, c, h // 4, 4, w // 4, 4)
        x = x.permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        mask = features.new_zeros(h, w)
        count = 0
        for rows in ((0, -4), (-4, -2), (-2, None)):
            for columns in ((0, -4), (-4, -2), (-2, None)):
                mask[rows[0] : rows[1], columns[0] : columns[1]] = count
                count += 1
        mask = mask.view(h // 4, 4, w // 4, 4).permute(0, 2, 1, 3).reshape(-1, 16)
        mask = mask.unsqueeze(1) - mask.unsqueeze(2)
        mask = mask.masked_fill(mask != 0, -100.0)
        scores = (x @ x.transpose(1, 2)) / math.sqrt(c) + mask
        made = (functional.softmax(scores, -1) @ x).reshape(b, h // 4, w // 4, 4, 4, c)
        made = made.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)
        return torch.roll(made, (2, 2), (2, 3))


class Heads(nn.Module):
    """scaled_dot_product_attention of two heads over the positions."""

    def __init__(self, rank: int = 4) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(8, 24, 1)
        self.rank = rank

    def forward(self, features: Tensor) -> Tensor:
        b, c, h, w = features.shape
        shape = (b, 2, 4, h * w) if self.rank == 4 else (2 * b, 4, h * w)
        query, key, value = (part.reshape(shape).mT for part in self.qkv(features).chunk(3, 1))
        made = functional.scaled_dot_product_attention(query, key, value)
        return made.mT.reshape(b, c, h, w)


class Written(nn.Module):
    """Features changed in place, as much code does."""

    def forward(self, features: Tensor) -> Tensor:
        made = features.clone()
        made[:, 2:4] = made[:, 4:6] * 2
        made[:, :, ::2, 1] = -1.0
        made[:, 0] += 1
        return made


class Norms(nn.Module):
    """Norms of three kinds over the channels."""

    def forward(self, features: Tensor) -> Tensor:
        first = functional.normalize(features, dim=1)
        second = features / (torch.linalg.vector_norm(features, dim=(2, 3), keepdim=True) + 1)
        return first + second + features.norm(p=1, dim=1, keepdim=True) / 8


class Mixture(nn.Module):
    """A choice of features by their sign and a mask."""

    def forward(self, features: Tensor) -> Tensor:
        centred = features - features.mean((2, 3), keepdim=True)
        kept = torch.where(centred > 0, centred, 0.1 * features)
        return kept.masked_fill(features > 1.5, 0.25)


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised by batch normalisation, as timm writes NFNets and BiT."""

    def forward(self, features: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = functional.batch_norm(flat, None, None, training=True).reshape_as(self.weight)
        return functional.conv2d(features, weight, self.bias)


class ChannelsLast(nn.Module):
    """ConvNeXt's block: depthwise convolution, then everything on [B,H,W,C], back through permute."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm, self.wide, self.narrow = nn.LayerNorm(8), nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, features: Tensor) -> Tensor:
        x = self.depthwise(features).permute(0, 2, 3, 1)
        x = self.narrow(functional.gelu(self.wide(self.norm(x)))).permute(0, 3, 1, 2)
        return features + 0.5 * x


def _tracked() -> nn.Module:
    norm = nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
    with torch.no_grad():
        norm.running_mean.copy_(torch.randn(8) * 0.3)
        norm.running_var.copy_(torch.rand(8) + 0.5)
        norm.weight.copy_(torch.randn(8))
    return norm


def _resized(size: tuple[int, int], mode: str, **more: bool) -> nn.Module:
    return Apply(lambda x: functional.interpolate(x, size, mode=mode, **more))


def _scaled(factor: float, mode: str) -> nn.Module:
    return Apply(lambda x: functional.interpolate(x, scale_factor=factor, mode=mode))


def _spectral() -> nn.Module:
    return layers(nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 8, 3, padding=1)))


def _weighted() -> nn.Module:
    return layers(nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3, padding=1)))


def _last(module: nn.Module) -> nn.Module:
    return module.to(memory_format=torch.channels_last)


#: what it is -> how to make it; every one exports, and every target either gives eager torch's values or refuses it
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "add with alpha": lambda: Apply(lambda x: torch.add(x, x.flip(2), alpha=3)),
    "sub with alpha": lambda: Apply(lambda x: torch.sub(x, x.flip(2), alpha=0.5)),
    "rsub with alpha": lambda: Apply(lambda x: torch.rsub(x, 1.0, alpha=2)),
    "nearest x1.5": lambda: _scaled(1.5, "nearest"),
    "nearest x2": lambda: _scaled(2.0, "nearest"),
    "nearest-exact to 11 x 7": lambda: _resized((11, 7), "nearest-exact"),
    "nearest to 11 x 23": lambda: _resized((11, 23), "nearest"),
    "norms": lambda: layers(Norms()),
    "bilinear, antialiased": lambda: _resized((7, 9), "bilinear", antialias=True),
    "bicubic, antialiased": lambda: _resized((7, 9), "bicubic", antialias=True),
    "bicubic x2": lambda: _scaled(2.0, "bicubic"),
    "bicubic x1.3": lambda: _scaled(1.3, "bicubic"),
    "bicubic, corners aligned": lambda: _resized((11, 23), "bicubic", align_corners=True),
    "bilinear, corners aligned": lambda: _resized((11, 23), "bilinear", align_corners=True),
    "bilinear x1.7": lambda: _scaled(1.7, "bilinear"),
    "area": lambda: _resized((7, 9), "area"),
    "instance norm, tracked": lambda: layers(_tracked()),
    "instance norm": lambda: layers(nn.InstanceNorm2d(8, affine=True)),
    "group norm": lambda: layers(nn.GroupNorm(4, 8)),
    "adaptive max pool, whole windows": lambda: layers(nn.AdaptiveMaxPool2d((4, 8))),
    "adaptive max pool, uneven windows": lambda: layers(nn.AdaptiveMaxPool2d((7, 5))),
    "adaptive average pool, uneven windows": lambda: layers(nn.AdaptiveAvgPool2d((7, 5))),
    "transposed convolution": lambda: layers(nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1)),
    "transposed convolution, groups": lambda: layers(nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=4)),
    "transposed convolution, dilated": lambda: layers(nn.ConvTranspose2d(8, 6, 3, 1, 2, dilation=2)),
    "local response norm": lambda: layers(nn.LocalResponseNorm(5, 1e-2, 0.75, 1.0)),
    "average pool, ceil": lambda: layers(nn.AvgPool2d(3, 2, ceil_mode=True)),
    "average pool, ceil, padding counted": lambda: layers(nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    "average pool, ceil, padding left out": lambda: layers(
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
    ),
    "average pool, divisor": lambda: layers(nn.AvgPool2d(3, 2, 1, divisor_override=5)),
    "max pool, ceil": lambda: layers(nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
    "max pool, dilated": lambda: layers(nn.MaxPool2d(3, 1, 1, dilation=2)),
    "attention": lambda: layers(Heads()),
    "attention, rank 3": lambda: layers(Heads(3)),
    "where": lambda: layers(Mixture()),
    "spectral norm (vdot)": _spectral,
    "weight norm": _weighted,
    "standardised weights": lambda: layers(Standardised(8, 8, 3)),
    "response norm (addcmul)": lambda: layers(Response()),
    "separable attention": lambda: layers(LinearAttention()),
    "shifted windows": lambda: layers(Windows()),
    "written in place": lambda: layers(Written()),
    "channels last block": lambda: layers(ChannelsLast()),
    "channels_last weights": lambda: _last(layers(nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(2))),
    "pixel shuffle": lambda: layers(nn.Conv2d(8, 16, 1), nn.PixelShuffle(2)),
    "pixel unshuffle": lambda: layers(nn.PixelUnshuffle(2)),
    "cumulative sum": lambda: Apply(lambda x: torch.cumsum(x, 2) / 16),
    "largest three": lambda: Apply(lambda x: torch.topk(x, 3, dim=1).values),
    "einsum": lambda: Apply(lambda x: torch.einsum("bchw,bdhw->bcd", x, x)[..., None] / 64),
    "standard deviation": lambda: Apply(lambda x: x / (x.std((2, 3), keepdim=True) + 1)),
    "crop and pad": lambda: Apply(lambda x: functional.pad(x[:, :, 2:-3, 1:], (1, 2, 3, 0), mode="reflect")),
    "zeros around": lambda: layers(nn.ZeroPad2d((1, 2, 0, 1))),
    "circular pad": lambda: layers(nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")),
    "mish and hardswish": lambda: layers(nn.Mish(), nn.Hardswish()),
    "gelu, tanh": lambda: layers(nn.GELU("tanh")),
    "prelu, elu, selu, celu": lambda: layers(nn.PReLU(8), nn.ELU(0.7), nn.SELU(), nn.CELU(0.8)),
    "log softmax": lambda: Apply(lambda x: functional.log_softmax(x, 1)),
    "squared, clamped, root": lambda: Apply(lambda x: (x.pow(2) + x.clamp(min=0.1).sqrt() + x.pow(3) / 4).pow(0.5)),
    "grid sample": lambda: Apply(
        lambda x: functional.grid_sample(
            x,
            functional.affine_grid(torch.eye(2, 3)[None] * 0.7, [1, 8, 9, 9], align_corners=False),
            align_corners=False,
        )
    ),
    "Fourier transform": lambda: Apply(lambda x: torch.fft.rfft2(x).abs() / 16),
}


@dataclass(frozen=True)
class Network:
    """One of them, with real photos."""

    name: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-").replace(",", "").replace("(", "").replace(")", "")

    def head(self) -> HeadProgram:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(3)
            backbone = NETWORKS[self.name]().eval().requires_grad_(False)
        return HeadProgram(backbone, None, photos()[0], None, photos())


@cache
def photos() -> list[Tensor]:
    """Crops of scikit-learn's two photos, each [1,3,32,32] in about [-2, 2]."""
    made = []
    for picture in load_sample_images().images:
        whole = torch.from_numpy(np.asarray(picture, np.float32))[None].permute(0, 3, 1, 2) / 64 - 2
        for top in range(0, 400, 100):
            crop = whole[:, :, top : top + 96, 200:296].contiguous()
            made.append(functional.interpolate(crop, (PIXELS, PIXELS), mode="area"))
    return made


def networks() -> list[Network]:
    return [Network(name) for name in NETWORKS]
