"""The narrow waist behind a cut: encoder, noise, coarse codes with learned frequencies, decoder.

    features [B,C,H,W] -> encoder -> z [B,c,h,w] -> noise(eps) -> codes in -LEVEL..LEVEL -> decoder -> features

The noise is one of the toolkit's own protections, so the waist compares methods at equal capacity.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.protect.waist.geometry import Geometry
from toolkit.protect.waist.start import linear_waist
from toolkit.protections.base import FeatureShape, Protection
from toolkit.protections.pripro import PriPro


class Encoder(nn.Module):
    """One strided convolution, and a second with a 1x1 behind it: all that the phone computes beyond its head."""

    def __init__(self, channels: int, inner: int, out: int, stride: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, out, stride, stride)
        self.conv = nn.Conv2d(channels, inner, stride, stride, bias=False)
        self.norm = nn.BatchNorm2d(inner)
        self.project = nn.Conv2d(inner, out, 1, bias=False)
        nn.init.normal_(self.project.weight, std=0.1 / inner**0.5)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features) + self.project(torch.relu(self.norm(self.conv(features))))


class DeepEncoder(nn.Module):
    """The linear map, and a small network beside it: a strided 3x3, a residual 3x3, the largest value of each channel.

    What a network's tail had learned behind the cut has to happen on the phone where the waist is narrow.
    """

    def __init__(self, channels: int, inner: int, out: int, stride: int, pool: str = "max") -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, out, stride, stride)
        self.first = nn.Sequential(nn.Conv2d(channels, inner, 3, 2, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner))
        self.pool = nn.MaxPool2d(stride // 2) if pool in ("max", "both") else None
        self.project = nn.Conv2d(inner, out, 1, bias=False) if self.pool else None
        self.patch = nn.Conv2d(inner, out, stride // 2, stride // 2, bias=False) if pool in ("conv", "both") else None
        for last in (self.project, self.patch):
            if last is not None:
                nn.init.normal_(last.weight, std=0.1 / last.weight[0].numel() ** 0.5)

    def forward(self, features: Tensor) -> Tensor:
        maps = self.first(features)
        maps = torch.relu(maps + self.second(maps))
        z = self.linear(features)
        if self.pool is not None and self.project is not None:
            z = z + self.project(self.pool(maps))
        if self.patch is not None:
            z = z + self.patch(maps)
        return z


class Residual(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.body(maps))


class Decoder(nn.Module):
    """Codes [B,c,h,w] -> features [B,C,H,W], on the server: a linear map and a residual network beside it."""

    def __init__(self, waist: FeatureShape, features: FeatureShape, width: int = 128) -> None:
        super().__init__()
        c, h, w = waist
        channels, height, _ = features
        stride = height // h
        self.linear = nn.Sequential(nn.Conv2d(c, channels * stride**2, 1), nn.PixelShuffle(stride))
        self.local = nn.Conv2d(c, width, 1)
        self.overall = nn.Linear(c * h * w, width)  # every position sees every other
        self.small = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), Residual(width, width))
        inner = channels // 2
        self.large = nn.Sequential(
            nn.Conv2d(width, inner * stride**2, 1), nn.PixelShuffle(stride), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip
        nn.init.zeros_(self.large[-1].weight)

    def forward(self, codes: Tensor) -> Tensor:
        maps = self.local(codes) + self.overall(codes.flatten(1))[:, :, None, None]
        return torch.relu(self.linear(codes) + self.large(self.small(maps)))


def start_from(
    encoder: Encoder | DeepEncoder, decoder: Decoder, features: Tensor, slopes: Tensor, spread: float
) -> None:
    """Start both at the product's best linear waist for the tail, codes of deviation `spread`.

    Args:
        encoder: changed in place.
        decoder: changed in place.
        features: [N,C,H,W].
        slopes: gradients of random mixtures of the logits by the features [M,C,H,W].
        spread: deviation of each code channel.
    """
    stride, out = encoder.linear.stride[0], encoder.linear.out_channels
    shape = (features.shape[1], features.shape[2], features.shape[3])
    found = linear_waist(features, slopes, Geometry(shape, out, stride, out), 0)
    with torch.no_grad():
        encoder.linear.weight.copy_(spread * found.down.view_as(encoder.linear.weight))
        encoder.linear.bias.copy_(-spread * found.down @ found.mean)
        decoder.linear[0].weight.copy_((found.up / spread)[:, :, None, None])
        decoder.linear[0].bias.copy_(found.mean)


class Codes(nn.Module):
    """Rounding to -level..level with gradients as if there were none, and the bits of each symbol.

    Frequencies are learned per channel; between two codes the bits are interpolated, so that their gradient pulls
    towards the more frequent neighbour (the rate term of learned compression, Balle et al. 2017, on a coarse grid).
    """

    def __init__(self, channels: int, level: int) -> None:
        super().__init__()
        self.level = level
        start = -0.5 * (torch.arange(-level, level + 1).float() / max(level / 2, 1)).square()
        self.frequency = nn.Parameter(start.repeat(channels, 1))

    def forward(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B,c,h,w] -> codes (whole numbers) and bits [B]."""
        # outside the range the gradient still passes: clamped ones could never come back
        inside = noisy + (noisy.clamp(-self.level, self.level) - noisy).detach()
        rounded = inside + (inside.round() - inside).detach()
        cost = -torch.log_softmax(self.frequency, 1) / torch.log(torch.tensor(2.0))  # [c,levels]
        low = inside.detach().floor().clamp(-self.level, self.level - 1)
        part = inside - low
        index = (low + self.level).long()
        table = cost[None, :, :, None, None].expand(len(noisy), -1, -1, *noisy.shape[2:])
        first = table.gather(2, index.unsqueeze(2)).squeeze(2)
        second = table.gather(2, index.unsqueeze(2) + 1).squeeze(2)
        return rounded, (first + part * (second - first)).flatten(1).sum(1)


def short_path(shape: FeatureShape, classes: int, width: int = 256) -> nn.Sequential:
    """Codes [B,c,h,w] -> logits [B,K] past decoder and tail: where training of the phone's part gets its gradients."""
    size = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, classes)
    )


class Silent(Protection):
    """No noise at all: codes of z itself."""

    trains = "nothing"

    def eps_shape(self) -> None:
        return

    def forward(self, smashed: Tensor, eps: Tensor | None = None) -> Tensor:
        return smashed


class Additive(Protection):
    """Gaussian noise of one fixed scale, in units of a code."""

    trains = "nothing"

    def __init__(self, features: FeatureShape, scale: float = 0.5) -> None:
        super().__init__(features)
        self.scale = scale

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        return smashed + self.strength * self.scale * eps


class PerElement(Protection):
    """Cloak on the waist: learned location and scale per element."""

    trains = "location and scale per element"

    def __init__(self, features: FeatureShape, scale: float = 0.3) -> None:
        super().__init__(features)
        self.loc = nn.Parameter(torch.zeros(1, *features))
        self.log_scale = nn.Parameter(torch.full((1, *features), scale).log())

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        return smashed + self.strength * (self.loc + self.log_scale.exp() * eps)


class Tensors(Protection):
    """Shredder on the waist: one of `count` learned tensors per message."""

    trains = "the noise tensors"

    def __init__(self, features: FeatureShape, count: int = 16, scale: float = 0.5) -> None:
        super().__init__(features)
        self.tensors = nn.Parameter(scale * torch.distributions.Laplace(0.0, 0.7).sample((count, *features)))

    def eps_shape(self) -> tuple[int, ...]:
        return len(self.tensors), 1, 1

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        return smashed + self.strength * self.tensors[eps.flatten(1).argmax(1)]


def noise_of(method: str, shape: FeatureShape, options: dict[str, float]) -> Protection:
    if method == "pripro":
        block = PriPro(shape, grid=14)
        block.transparency.fill_(options.get("transparency", 1.0))
        with torch.no_grad():  # mu starts at nothing and sigma at a tenth of a code: the noise has to be earned
            block.moments.linear.weight.zero_()
            block.moments.linear.bias.zero_()
            block.moments.linear.bias[shape[0] :] = options.get("sigma_start", -2.0)
        return block
    if method in ("gaussian", "cem"):
        return Additive(shape, options.get("scale", 0.5))
    if method == "cloak":
        return PerElement(shape)
    if method == "shredder":
        return Tensors(shape)
    return Silent(shape)


@dataclass
class Sent:
    """What one pass gives: codes, bits [B], the rebuilt features (or the codes), mean and variance before rounding.

    `beyond` is how far encoded values lie outside the codes, squared, over all of them.
    """

    codes: Tensor
    bits: Tensor
    rebuilt: Tensor
    mean: Tensor
    noise: Tensor
    beyond: Tensor


class Waist(nn.Module):
    """Everything between head and tail."""

    def __init__(self, method: str, features: FeatureShape, options: dict[str, float]) -> None:
        super().__init__()
        channels, side = int(options["channels"]), int(options["side"])
        stride = features[1] // side
        self.shape: FeatureShape = (channels, side, side)
        inner = int(options.get("inner", features[0]))
        self.encoder: Encoder | DeepEncoder
        if options.get("deep"):
            self.encoder = DeepEncoder(features[0], int(options["deep"]), channels, stride, str(options["pool"]))
        else:
            self.encoder = Encoder(features[0], inner, channels, stride)
        self.noise = noise_of(method, self.shape, options)
        self.codes = Codes(channels, int(options.get("level", 3)))
        self.decoder = Decoder(self.shape, features)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        eps = self.noise.draw_eps(count, generator)
        return () if eps is None else (eps,)

    def send(self, z: Tensor, eps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return self.codes(self.noise(z, *eps))

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """What the message is without eps, and the variance that eps adds, each [B,c,h,w]."""
        if isinstance(self.noise, PriPro):
            weight = self.noise.share_of_noise(z)
            mu, sigma = self.noise.moments(z)
            return z + weight * (mu - z), (weight * self.noise.gain * sigma).square()
        if isinstance(self.noise, Additive):
            return z, torch.full_like(z, (self.noise.strength.item() * self.noise.scale) ** 2)
        if isinstance(self.noise, PerElement):
            return z, (self.noise.strength * self.noise.log_scale.exp()).square().expand_as(z)
        if isinstance(self.noise, Tensors):
            return z, self.noise.tensors.var(0, keepdim=True).expand_as(z)
        return z, torch.zeros_like(z)

    def forward(self, features: Tensor, eps: tuple[Tensor, ...], *, rebuild: bool = True) -> Sent:
        with torch.autocast("cpu", torch.bfloat16):
            z = self.encoder(features)
        with torch.autocast("cpu", enabled=False):
            z = z.float()
            codes, bits = self.send(z, eps)
            mean, noise = self.moments(z)
            beyond = (z.abs() - self.codes.level - 0.5).clamp(min=0).square().mean()
        with torch.autocast("cpu", torch.bfloat16):
            rebuilt = self.decoder(codes) if rebuild else codes
        return Sent(codes, bits, rebuilt, mean, noise, beyond)


def inside_bits(mean: Tensor, noise: Tensor, answer: Tensor, classes: int) -> Tensor:
    """Bits that one message tells about its photo beyond the user's answer, at most, were all of it Gaussian.

    Sum over symbols of 0.5 log2(1 + variance inside an answer / (noise + rounding)): the conditional-entropy bound of
    CEM (arXiv 2503.00383), with the unprotected network's answer in place of the label, and rounding as noise of 1/12.
    """
    flat, spread = mean.flatten(1), noise.flatten(1).mean(0) + 1.0 / 12
    member = functional.one_hot(answer, classes).float()
    count = member.sum(0)[:, None].clamp(min=1)
    centres = member.T @ flat / count
    # a class's own mean takes one degree of freedom
    free = len(flat) / max(len(flat) - int((member.sum(0) > 0).sum()), 1)
    inside = (flat - centres[answer]).square().mean(0) * free
    return 0.5 * torch.log2(1 + inside / spread).sum()
