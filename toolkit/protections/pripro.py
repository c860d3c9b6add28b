"""The PriPro block: self-attention decides where, input statistics decide how strong.

Source: Gao et al., "PriPro", CCGrid 2021, doi 10.1109/CCGrid51090.2021.00043; its architecture figure is
marked [fig] below, this project's choices where the figure is silent are marked [ours].

Every operator is one that mobile delegates take whole (XNNPACK leaves nothing outside), which is why some
plain things are spelled unusually: a sum over rows is a 1x1 convolution with ones, a global maximum is a
max-pool, softplus is relu(x) + log(exp(-|x|) + 1).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from . import _training
from ._dependence import own_centres, tolerated_directions
from ._features import sample_of
from ._leak import inside_bits
from .base import FeatureShape, Protection, Sent, Training

#: spread of the attention, relative to its mean, below which it counts as flat [ours]
FLAT = 5e-2
#: the leak is counted for an attacker who sees a photo once, and for one who sees it this often
_OBSERVATIONS = (1, 100)
#: differences below this share of the features' deviation are not worth hiding
_LEAST_NOISE = 0.05
#: behind a waist: the encoder's spread in codes, softplus^-1 of sigma's start (0.13 codes), and the most of a position
#: that is replaced; a waist of one position has no other place where it could say the same [ours]
_SPREAD, _SIGMA_START, _MOST_BEHIND_WAIST = 1.2, -2.0, 0.5
#: features whose leak is computed together, and again for its gradients: about eight times as much is kept meanwhile
_LEAK_BYTES = 16 << 20
#: root mean square that features are brought to before they are squared: half precision then holds the squares of
#: values a thousand times as large [ours]
_BEFORE_SQUARES = 0.25


def _pooling(height: int, width: int, grid: int) -> tuple[int, int]:
    """Window that leaves about grid x grid positions: at most `grid` a side of maps, or as many tokens in a column."""
    if width == 1 and height > grid:
        return max(round(height / (grid * grid)), 1), 1
    return math.ceil(height / grid), math.ceil(width / grid)


class AttentionMap(nn.Module):
    """smashed [B,C,h,w] -> W_A [B,1,h,w] in (0, 1]: the share of noise at each position."""

    ones: Tensor
    scale: Tensor

    def __init__(self, features: FeatureShape, grid: int) -> None:
        super().__init__()
        channels, height, width = features
        inner = max(channels // 8, 1)  # [fig] floor(C/8); [ours] at least one
        self.pool = _pooling(height, width, grid)  # [ours]
        self.pooled = (height // self.pool[0], width // self.pool[1])
        self.size = (height, width)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        positions = self.pooled[0] * self.pooled[1]
        self.register_buffer("ones", torch.ones(1, positions, 1, 1), persistent=False)
        self.register_buffer("scale", torch.ones(1, 1, 1, 1))

    def start_from(self, smashed: Tensor) -> None:
        """Measure the features' scale on smashed [N,C,h,w]."""
        self.scale.copy_(_BEFORE_SQUARES / (smashed.square().mean().sqrt() + 1e-20))

    def forward(self, smashed: Tensor) -> Tensor:
        """Map smashed [B,C,h,w] -> W_A [B,1,h,w]."""
        small = self._unit_power(functional.max_pool2d(smashed, self.pool) if self.pool != (1, 1) else smashed)
        inner, positions = self.query.out_channels, self.ones.shape[1]
        query, key = (product(small).reshape(-1, 1, inner, positions) for product in (self.query, self.key))
        # [fig] no scaling, no value branch; rank 4 because GPU delegates are reported wrong at rank 3 (LiteRT 8619)
        attention = torch.softmax(torch.matmul(query.transpose(2, 3), key), dim=-1)  # [B,1,N,N]
        # min-max undoes the shift; summing what departs from 1/N keeps the digits that a sum near 1 would round off
        rows = (attention - 1.0 / positions).reshape(-1, positions, *self.pooled)  # [B,N,h',w']
        received = functional.conv2d(rows, self.ones)  # [ours] sum over the axis softmax leaves open
        shares = self._unit(received)
        if self.pooled == self.size:  # to the same size is a copy, and an operator on the phone
            return shares
        return functional.interpolate(shares, size=self.size, mode="bilinear", align_corners=False)

    def _unit_power(self, small: Tensor) -> Tensor:
        """Divide by the root mean square per image [ours].

        Networks and cut points differ in the scale of their features by orders of magnitude. Products of
        unscaled ones saturate the softmax or leave it flat, and the min-max after it then magnifies a
        runtime's rounding; of unit power they do neither, whatever the network. The constant `scale` cancels out; it
        keeps the squares within half precision.
        """
        small = small * self.scale
        rows = small.shape[1] * self.pooled[0]
        power = (small * small).reshape(-1, 1, rows, self.pooled[1]).mean((2, 3), keepdim=True)  # [B,1,1,1]
        return small / torch.sqrt(power + 1e-6)

    def _unit(self, received: Tensor) -> Tensor:
        """Min-max per image to (0, 1] [ours].

        What a position receives is 1 on average, so a spread far below FLAT says nothing about positions: the map
        then tends to 1 everywhere, noise at every position, rather than to none at all.
        """
        if self.pooled == (1, 1):
            return received * 0 + 1
        top = functional.max_pool2d(received, self.pooled)
        bottom = -functional.max_pool2d(-received, self.pooled)
        return (received - bottom + FLAT) / (top - bottom + FLAT)


class NoiseMoments(nn.Module):
    """smashed [B,C,h,w] -> mu, sigma, each [B,C,1,1].

    The input's statistics are two numbers per channel [fig: 2C], here its mean under two learned weightings of the
    positions [ours]. The plain mean and standard deviation, tried first, predict a digit's class far less well
    (benchmarks/results/privacy_objectives.json), and what mu does not know has to be let through from x.
    """

    shift: Tensor
    scale: Tensor
    unit: Tensor

    def __init__(self, features: FeatureShape, grid: int) -> None:
        super().__init__()
        self.channels, height, width = features
        self.pool = _pooling(height, width, grid)
        pooled = (height // self.pool[0], width // self.pool[1])
        self.positions = nn.Parameter(torch.zeros(2, self.channels, *pooled))
        self.linear = nn.Linear(2 * self.channels, 2 * self.channels)  # [fig] 2C -> 2C
        self.register_buffer("shift", torch.zeros(1, self.channels, 1, 1))
        self.register_buffer("scale", torch.ones(1, self.channels, 1, 1))
        self.register_buffer("unit", torch.tensor(1.0))

    def start_from(self, smashed: Tensor, generator: torch.Generator) -> None:
        """Measure the channels' scales on smashed [N,C,h,w] and draw the first weightings."""
        deviation = smashed.std()
        self.unit.copy_(deviation)
        self.shift.copy_(smashed.mean((0, 2, 3), keepdim=True))
        self.scale.copy_(1.0 / (smashed.std((0, 2, 3), keepdim=True) + 1e-2 * deviation))
        with torch.no_grad():
            # times the number of positions: a sum of them all, each weighted by about its root
            count = self.positions[0, 0].numel()
            self.positions.copy_(torch.randn(self.positions.shape, generator=generator) * math.sqrt(count))

    def forward(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """Map smashed [B,C,h,w] -> mu, sigma [B,C,1,1]."""
        small = functional.max_pool2d(smashed, self.pool) if self.pool != (1, 1) else smashed
        even = (small - self.shift) * self.scale
        first = (even * self.positions[0:1]).mean((2, 3), keepdim=True)
        second = (even * self.positions[1:2]).mean((2, 3), keepdim=True)
        both = self.linear(torch.cat([first, second], dim=1).flatten(1))
        moments = both.unflatten(1, (2 * self.channels, 1, 1)) * self.unit
        raw = both.unflatten(1, (2 * self.channels, 1, 1))[:, self.channels :]
        softplus = torch.relu(raw) + torch.log(torch.exp(-torch.abs(raw)) + 1.0)
        return moments[:, : self.channels], softplus * self.unit


def _after_loading(module: nn.Module, keys: object) -> None:
    if isinstance(module, PriPro):
        module.see_whether_it_turns()


class PriPro(Protection):
    """(1 - W_A) * x + W_A * (mu + Q sigma eps)  [ours: convex combination].

    [ours] W_A is the attention's map brought to [1 - transparency, 1], so that x can be *replaced* nearly
    everywhere: noise alone is averaged away by whoever sees a photo often, what was never sent is not.
    [ours] Q, orthogonal, turns the channels so that noise of each strength lies where the tail can bear it.
    `strength` s below 1 scales W_A (0: the features as they are), above 1 it scales sigma [ours].
    """

    blend: Tensor
    gain: Tensor
    transparency: Tensor
    basis: Tensor
    most: Tensor

    trains = "the injector; head and tail stay frozen"
    revision = 3
    shares = ("transparency", "least_blend")
    options: ClassVar[dict[str, float]] = {
        "grid": 14, "leak_weight": 0.1, "transparency": 0.1, "least_blend": 0.5, "learning_rate": 1e-2,
    }  # fmt: skip
    #: all of a position may be replaced, as in the paper's weighted sum; and to say where, of few positions anyway,
    #: attention over 14 x 14 costs 4 % of EfficientNet-Lite0's first fifth (benchmarks/privacy/photos) [ours]
    behind_waist: ClassVar[dict[str, float]] = {"grid": 8, "transparency": 1.0}

    def __init__(self, features: FeatureShape, *, grid: float = 14) -> None:
        super().__init__(features)
        self.attention = AttentionMap(features, int(grid))
        self.moments = NoiseMoments(features, int(grid))
        self.register_buffer("blend", torch.tensor(1.0))
        self.register_buffer("gain", torch.tensor(1.0))
        self.register_buffer("transparency", torch.tensor(0.5))
        self.register_buffer("most", torch.tensor(1.0))
        self.register_buffer("basis", torch.eye(features[0])[:, :, None, None].clone())
        self.turns = False
        self.register_load_state_dict_post_hook(_after_loading)  # type: ignore[no-untyped-call]

    def start_from(self, smashed: Tensor, generator: torch.Generator) -> None:
        """Measure the scales of smashed [N,C,h,w] and draw the first weightings."""
        self.attention.start_from(smashed)
        self.moments.start_from(smashed, generator)

    def set_strength(self, strength: float) -> None:
        """Split the strength into two constants here, so that the exported graph holds plain products."""
        super().set_strength(strength)
        self.blend.copy_(min(strength, 1.0) * self.most)
        self.gain.fill_(max(strength, 1.0))

    def share_of_noise(self, smashed: Tensor) -> Tensor:
        """Map smashed [B,C,h,w] -> W_A [B,1,h,w]."""
        weight: Tensor = self.blend * (1.0 - self.transparency * (1.0 - self.attention(smashed)))
        return weight

    def forward(self, smashed: Tensor, eps: Tensor) -> Tensor:
        """Map smashed, eps [B,C,h,w] -> protected [B,C,h,w]."""
        mu, sigma = self.moments(smashed)
        noise = self.gain * sigma * eps
        noise = mu + (functional.conv2d(noise, self.basis) if self.turns else noise)
        protected: Tensor = smashed + self.share_of_noise(smashed) * (noise - smashed)
        return protected

    def see_whether_it_turns(self) -> None:
        """Look at Q: where it is the identity, as behind a waist, no head computes a product with it."""
        own = self.basis[:, :, 0, 0]
        self.turns = own.device.type == "meta" or not torch.equal(own, torch.eye(len(own), device=own.device))

    def settle(self, options: dict[str, float], generator: torch.Generator) -> None:
        """Take mu at 0 and sigma at an eighth of a code [ours].

        Noise has to be earned: begun at a third of a code, with mu drawn at random, a photo's codes grow to drown it
        (benchmarks/privacy/photos).

        The encoder has brought every channel to one spread, so that no direction is more tolerated than another: Q
        stays the identity, and all noise is independent.
        """
        self.transparency.fill_(options.get("transparency", self.behind_waist["transparency"]))
        self.most.fill_(_MOST_BEHIND_WAIST)
        self.set_strength(self.strength.item())
        self.attention.scale.fill_(_BEFORE_SQUARES / _SPREAD)
        with torch.no_grad():
            count = self.moments.positions[0, 0].numel()
            self.moments.positions.copy_(torch.randn(self.moments.positions.shape, generator=generator))
            self.moments.positions.mul_(math.sqrt(count) / _SPREAD)
            self.moments.linear.weight.zero_()
            self.moments.linear.bias.zero_()
            self.moments.linear.bias[self.features[0] :] = _SIGMA_START

    def channel(self, smashed: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted sum without eps, and its noise; independent behind a waist, where Q is the identity."""
        mu, sigma = self.moments(smashed)
        weight = self.share_of_noise(smashed)
        return smashed + weight * (mu - smashed), (weight * self.gain * sigma).square()

    def hidden(self, sent: Sent) -> Tensor:
        """Bits that a message reveals beyond the user's answer, as in `fit` but for rounded symbols."""
        return inside_bits(*self.channel(sent.smashed), sent.answers, sent.classes)

    def fit(self, training: Training) -> None:
        """Train the injector; head and tail stay frozen [ours].

        Loss: cross-entropy of the tail + leak_weight * leak, where leak is how much the noise-free features vary
        inside a class beside the noise, for one observation and for a hundred (a bound on the conditional entropy
        of the photo given what is sent, as in cem). Every step draws the blend anew between least_blend and 1, so
        that the injector has learned for whatever strength the user's accuracy allows in the end.
        """
        options = self.settings(training.options)
        generator = torch.Generator().manual_seed(training.seed)
        if training.resume_from is None:
            smashed = sample_of(training).to(training.devices.device)
            _training.reinitialise(self, training.seed)
            self.transparency.fill_(options["transparency"])
            self.start_from(smashed, generator)
            with _training.frozen(training.tail):
                self.basis.copy_(tolerated_directions(training.tail, smashed[:512])[:, :, None, None])
            self.see_whether_it_turns()
            del smashed  # of an early cut, they are not small
        optimizer = torch.optim.Adam(self.parameters(), lr=options["learning_rate"])
        steps = training.epochs * -(-len(training.images) // training.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1), options["learning_rate"] / 20)
        classes = int(training.labels.max()) + 1
        least = options["least_blend"]

        def step(batch: _training.Step) -> float:
            self.set_strength(least + (1.0 - least) * torch.rand((), generator=batch.generator).item())
            loss = batch.weight * batch.loss(batch.answers(self))
            loss = loss + options["leak_weight"] * self._leak(batch.all_smashed, batch.all_labels, classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            return loss.item()

        with _training.frozen(training.head, training.tail):
            _training.run(training, {"injector": self}, {"adam": optimizer, "schedule": schedule}, step, "pripro")
        self.set_strength(1.0)

    def _leak(self, smashed: Tensor, labels: Tensor, classes: int) -> Tensor:
        weight = self.share_of_noise(smashed)
        mu, sigma = self.moments(smashed)
        height = smashed.shape[2]
        rows = max(_LEAK_BYTES * height // (4 * smashed.numel()), 1)
        if rows >= height:
            return self._leak_of(smashed, weight, mu, sigma, labels, classes)
        # every value of the features counts by itself, over all photos: rows of the maps, not photos, can be apart
        parts = [
            checkpoint(self._leak_of, part, share, mu, sigma, labels, classes, use_reentrant=False)
            * (part.shape[2] / height)
            for part, share in zip(smashed.split(rows, 2), weight.split(rows, 2), strict=True)
        ]
        return torch.stack(parts).sum()

    def _leak_of(
        self, smashed: Tensor, weight: Tensor, mu: Tensor, sigma: Tensor, labels: Tensor, classes: int
    ) -> Tensor:
        """Mean over the values of some rows of the features [B,C,r,w], of which weight is [B,1,r,w]."""
        mean = smashed + weight * (mu - smashed)
        # in the noise's own directions, where it is independent
        turned = functional.conv2d(mean, self.basis.transpose(0, 1)).flatten(1)
        inside = (turned - own_centres(turned, labels, classes)).square().mean(0)
        noise = (weight * sigma).square().flatten(1).mean(0)
        least = (_LEAST_NOISE * self.moments.unit).square()
        return torch.stack([torch.log1p(inside / (noise / n + least)).mean() for n in _OBSERVATIONS]).mean()

    def statistics(self, smashed: Tensor) -> dict[str, float]:
        """Report how much of the features is replaced, and how strong the noise is beside them."""
        _, sigma = self.moments(smashed)
        weight = self.share_of_noise(smashed)
        return {
            "mean_w_a": weight.mean().item(),
            "std_w_a": weight.std().item(),
            "mean_sigma": (self.gain * sigma).mean().item(),
            "transparency": self.transparency.item(),
            "smashed_std": smashed.std().item(),
        }
