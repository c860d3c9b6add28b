"""tail(head(x)) equals the network to the bit at every offered cut of the torchvision families, batch 1 and 5."""

import pytest
import torch

from toolkit.partition.cuts import list_cuts
from toolkit.partition.network import load_network
from toolkit.partition.split import split

pytestmark = pytest.mark.slow

#: alexnet's strides need more than 63 pixels
FAMILIES = {
    "alexnet": 96,
    "vgg11_bn": 32,
    "vgg16": 32,
    "resnet18": 64,
    "resnet50": 64,
    "mobilenet_v3_small": 64,
    "efficientnet_b0": 64,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_exact_at_every_cut(name):
    torch.manual_seed(0)
    side = FAMILIES[name]
    network = load_network(name, (3, side, side))
    whole = network.program.module(check_guards=False)
    images = [torch.randn(batch, 3, side, side) for batch in (1, 5)]
    cuts = list_cuts(network)
    assert len(cuts) >= 8
    with torch.no_grad():
        wanted = [whole(image) for image in images]
        for cut in cuts:
            halves = split(network, cut.name, check=False)
            for image, logits in zip(images, wanted, strict=True):
                assert torch.equal(halves.tail(halves.head(image)), logits), cut.name
