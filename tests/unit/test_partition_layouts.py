"""Layout is read off the graph: twin networks that differ in nothing but the order of axes."""

import pytest
import torch
from torch import Tensor, nn

from toolkit.partition.cuts import list_cuts
from toolkit.partition.layouts import Layout
from toolkit.partition.network import Network, _signature, export


def cuts_of(module: nn.Module, image: tuple[int, int, int] = (3, 16, 16)) -> dict[str, Layout]:
    program = export(module, image)
    network = Network("test", program, *_signature(program, "test"))
    return {cut.name: cut.crossing[0].layout for cut in list_cuts(network)}


class ChannelsFirst(nn.Module):
    """8 x 8 x 8 features, so that no size tells an axis."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.mix = nn.Conv2d(8, 8, 1)
        self.norm = nn.GroupNorm(1, 8)
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.mix(self.stem(x))).mean((2, 3)))


class ChannelsLast(nn.Module):
    """The same with channels behind, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.mix = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.mix(self.stem(x).permute(0, 2, 3, 1))).mean((1, 2)))


def test_twins_are_told_apart() -> None:
    first, last = cuts_of(ChannelsFirst()), cuts_of(ChannelsLast())
    assert {first[name].name for name in ("stem", "mix", "norm")} == {"NCHW"}
    assert (last["stem"].name, last["mix"].name, last["norm"].name) == ("NCHW", "NHWC", "NHWC")


class Tokens(nn.Module):
    """A patch embedding with class tokens in front, attention, and windows in between."""

    def __init__(self, front: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.front = nn.Parameter(torch.randn(1, front, 16))
        self.place = nn.Parameter(torch.randn(1, 16 + front, 16))
        self.block = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        if self.front.shape[1]:
            tokens = torch.cat([self.front.expand(x.shape[0], -1, -1), tokens], 1)
        return self.last(self.norm(self.block(tokens + self.place))[:, 0])


@pytest.mark.parametrize("front", [0, 1, 2])
def test_tokens_know_their_grid_and_what_stands_in_front(front: int) -> None:
    torch.backends.mha.set_fastpath_enabled(False)
    found = cuts_of(Tokens(front))
    assert found["embed"] == Layout("NCHW")
    assert found["block"] == Layout("NTC", (4, 4), front)


class Windows(nn.Module):
    """Windows are cut out of channels-last maps and put back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, 2)
        self.inside = nn.Linear(8, 8)
        self.after = nn.LayerNorm(8)
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.stem(x).permute(0, 2, 3, 1)
        windows = maps.reshape(-1, 2, 4, 2, 4, 8).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 16, 8)
        windows = self.inside(windows)
        maps = windows.reshape(-1, 2, 2, 4, 4, 8).permute(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 8)
        return self.last(self.after(maps).mean((1, 2)))


def test_windows_come_back_in_order() -> None:
    assert cuts_of(Windows())["after"] == Layout("NHWC")
