"""Cut points on the exported graph, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

from toolkit.errors import InputError, NetworkError, UnknownNameError
from toolkit.families import digits_resnet
from toolkit.partition.cuts import find_cut, list_cuts
from toolkit.partition.network import Network, _signature, export, load_network
from toolkit.partition.split import split


def network_of(module: nn.Module, image: tuple[int, int, int] = (1, 28, 28)) -> Network:
    program = export(module, image)
    shape, classes = _signature(program, "test")
    return Network("test", program, shape, classes)


@pytest.fixture(scope="module")
def digits() -> Network:
    torch.manual_seed(0)
    return network_of(digits_resnet.build(1, 10))


def test_names_are_module_paths_and_blocks_stay_whole(digits):
    names = [cut.name for cut in list_cuts(digits)]
    assert names == ["stem.0", "stem.1", "stem", "layer1", "layer2", "layer3", "pool", "flatten"]


@pytest.mark.slow
def test_every_offered_cut_is_exact_at_batch_1_and_5(digits):
    whole = digits.program.module(check_guards=False)
    for cut in list_cuts(digits):
        halves = split(digits, cut.name)
        for batch in (1, 5):
            image = torch.randn(batch, 1, 28, 28)
            smashed = halves.head(image)
            assert tuple(smashed.shape[1:]) == cut.shape
            kept = smashed.clone()
            assert torch.equal(halves.tail(smashed), whole(image))
            assert torch.equal(smashed, kept), "the tail wrote into the features that it was handed"


def test_work_and_weights_add_up(digits):
    module = digits_resnet.build(1, 10)
    total = sum(parameter.numel() for parameter in module.parameters())
    cuts = list_cuts(digits)
    assert {cut.head_parameters + cut.tail_parameters for cut in cuts} == {total}
    assert len({cut.head_macs + cut.tail_macs for cut in cuts}) == 1
    # stem.0 is one 3x3 convolution from 1 to 16 channels on 28 x 28
    assert cuts[0].head_macs == 28 * 28 * 16 * 9
    assert cuts[0].bytes == 28 * 28 * 16 * 4


def test_a_node_inside_a_block_names_the_nearest_valid_cuts(digits):
    with pytest.raises(InputError, match="layer1 and layer2"):
        find_cut(digits, "layer2.conv1")


def test_an_unknown_name_suggests(digits):
    with pytest.raises(UnknownNameError, match="layer1"):
        find_cut(digits, "layr1")


class Skip(nn.Module):
    """A skip across the whole middle."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.first(x)
        joined = self.middle(kept).relu_() + kept
        return self.last(joined.mean((2, 3)))


def test_no_cut_is_offered_under_a_skip():
    network = network_of(Skip())
    names = [cut.name for cut in list_cuts(network)]
    assert names[0] == "first"
    assert "middle" not in names
    for name in names:
        split(network, name)
    with pytest.raises(InputError, match="first"):
        find_cut(network, "middle")


class Shaped(nn.Module):
    """Reads the batch size off the image, far from where it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.last = nn.Linear(2 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        return self.last(self.conv(x).reshape(batch, -1))


def test_a_batch_size_that_is_read_before_the_cut_is_read_again_behind_it():
    network = network_of(Shaped(), (1, 8, 8))
    halves = split(network, "conv")
    assert halves.tail(torch.randn(7, 2, 6, 6)).shape == (7, 3)


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (x + y).flatten(1)


class WholeBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean()


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (TwoInputs(), "takes 2 inputs"),
        (WholeBatch(), "not one answer per photo"),
        (Branching(), "cannot follow the network"),
        (nn.Conv2d(3, 4, 3), "cannot run on a"),
    ],
)
def test_other_networks_are_refused_in_one_sentence(module, sentence):
    with pytest.raises(NetworkError, match=sentence) as caught:
        network_of(module)
    sentence, _, code = str(caught.value).partition("\n\n")
    assert "\n" not in sentence
    compile(code.replace("...", "0"), "the wrapper, ready to paste", "exec")


def test_a_network_that_draws_random_numbers_is_refused():
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return (y + torch.rand_like(y)).flatten(1)

    with pytest.raises(NetworkError, match="draws random numbers"):
        split(network_of(Noisy()), "conv")


def test_an_unknown_network_suggests():
    with pytest.raises(UnknownNameError, match="resnet18"):
        load_network("resnet81", (3, 64, 64))
