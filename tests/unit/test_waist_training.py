"""What keeps a training on a waist from running away."""

import torch
from torch import nn

from toolkit.datasets._data import Part
from toolkit.partition.cuts import Cut
from toolkit.partition.split import Split
from toolkit.protect.waist.geometry import LEVEL, Geometry
from toolkit.protect.waist.training import WaistTraining, _Run
from toolkit.protect.waist.views import Seen
from toolkit.protections.pripro import PriPro
from toolkit.tasks._truth import truth_for

FEATURES = (4, 12, 12)


def a_run(images: torch.Tensor) -> _Run:
    torch.manual_seed(0)
    head = nn.Conv2d(1, 4, 3, padding=1).eval()
    tail = nn.Sequential(nn.Flatten(), nn.Linear(4 * 144, 3)).eval()
    network = Split(
        head, tail, Cut("head", (), FEATURES, 4 * 144, 20_000, 10_000, 80, 5_000, "head", ()), (1, 12, 12), 3
    )
    labels = torch.arange(len(images)) % 3
    truth = truth_for(network.task, nn.Sequential(head, tail), images, labels)
    geometry = Geometry(FEATURES, 4, 3, 8)
    protection = PriPro.build(geometry.shape, {})
    return _Run(
        WaistTraining(
            network, geometry, protection, "all", {}, Part(images, labels), images, truth, 0.1, epochs=1, batch_size=16
        )
    )


def test_noise_that_drowns_in_itself_is_pulled_back_to_the_codes() -> None:
    """A mu far beyond the codes makes every code extreme, and the answer's gradients do not bring it back."""
    images = torch.rand(32, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    run = a_run(images)
    bias = run.wanted.protection.moments.linear.bias
    far = 20.0 * LEVEL
    with torch.no_grad():
        bias[:4] = torch.tensor([far, far, -far, -far])
    index = torch.arange(16)
    seen = Seen(images[index], run.head(images[index]).detach(), torch.randn(16, 3))
    loss, _ = run._loss(seen, index, 1.0)
    loss.backward()
    assert (bias.grad[:4].sign() == bias[:4].sign()).all()
    assert (bias.grad[:4].abs() > 0.1).all()
