"""What a training holds in memory: a part's activations, not the batch's; centres of the classes that are there."""

import pytest
import torch
from torch import Tensor, nn

from toolkit.protections._dependence import own_centres, tolerated_directions
from toolkit.protections._parts import InParts, kept_bytes


def tail() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()] * 3
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 5)).requires_grad_(False)


def gradient(network: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    inputs = inputs.clone().requires_grad_()
    answers = network(inputs)
    (found,) = torch.autograd.grad(answers.softmax(1).log().square().mean(), inputs)
    return answers, found


@pytest.mark.parametrize("part", [1, 4 * 1024 * 14, 10**9])
def test_answers_and_gradients_are_those_of_the_whole_batch(part: int) -> None:
    inputs, network = torch.randn(7, 4, 8, 8), tail()
    for found, wanted in zip(
        gradient(InParts(network, whole=0, part=part), inputs), gradient(network, inputs), strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_fewer_activations_are_kept() -> None:
    inputs, network = torch.randn(8, 4, 8, 8), tail()
    each = kept_bytes(network, inputs[:1])
    assert each >= 3 * 4 * 8 * 8 * 4
    whole = kept_bytes(network, inputs)
    assert whole == pytest.approx(8 * each, rel=0.1)
    assert kept_bytes(InParts(network, whole=4 * each, part=2 * each), inputs) < whole / 3


def test_what_fits_is_passed_on_as_it_is() -> None:
    inputs, network = torch.randn(8, 4, 8, 8), tail()
    assert kept_bytes(InParts(network), inputs) == kept_bytes(network, inputs)


def test_centres_are_those_of_the_classes_that_are_there() -> None:
    features, labels = torch.randn(6, 3), torch.tensor([1, 4, 1, 1, 4, 0])
    wanted = torch.stack([features[labels == label].mean(0) for label in labels])
    torch.testing.assert_close(own_centres(features, labels, 5), wanted)
    torch.testing.assert_close(own_centres(features, labels, 10**12), wanted)


def test_directions_are_those_of_the_whole_tail() -> None:
    inputs, network = torch.randn(9, 4, 8, 8), tail()
    parts = InParts(network, whole=0, part=2 * kept_bytes(network, inputs[:1]))
    found, wanted = tolerated_directions(parts, inputs), tolerated_directions(network, inputs)
    torch.testing.assert_close((found * wanted).sum(0).abs(), torch.ones(4), rtol=1e-3, atol=1e-3)
