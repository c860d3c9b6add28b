"""The demo's siblings: a transformer, a U-Net and an embedding of the digits keep their own metric under protection."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.datasets._data import DataSplits, load_data
from toolkit.families import digits_embed, digits_unet, digits_vit
from toolkit.inference import in_batches, seeded, smashing
from toolkit.partition.facts import facts_of
from toolkit.partition.network import Network, _signature, export
from toolkit.partition.split import Split, split
from toolkit.protect.fitting import Fitting, fit_and_calibrate, truth_of
from toolkit.records.bundle import Preprocess
from toolkit.tasks._guess import choose, task_class

pytestmark = pytest.mark.slow
PREPROCESS = Preprocess(channels=1, height=28, width=28, mean=[0.5], std=[0.5])


def _contrast(points: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020)."""
    own = torch.eye(len(points), dtype=torch.bool)
    near = (points @ points.T / 0.1).masked_fill(own, -1e9).log_softmax(1)
    same = (labels[:, None] == labels) & ~own
    return -((near * same).sum(1) / same.sum(1).clamp(min=1)).mean()


def _class(logits: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels)


def _ink(logits: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, (image[:, 0] > 0).long())


#: family, outputs, loss, epochs, task guessed, cut, tensors that cross, least unprotected score, epochs of pripro
SIBLINGS = {
    "vit": (digits_vit, 10, _class, 10, "classify", "blocks.1", 1, 0.85, 4),
    "unet": (digits_unet, 2, _ink, 1, "segment", "middle", 3, 1.0, 2),
    "embed": (digits_embed, 10, _contrast, 3, "embed", "trunk.2", 1, 0.85, 2),
}


@pytest.fixture(scope="module")
def digits() -> DataSplits:
    return load_data("digits", PREPROCESS)


def _trained(
    network: nn.Module, data: DataSplits, loss: Callable[[Tensor, Tensor, Tensor], Tensor], epochs: int
) -> nn.Module:
    images, labels = data.victim_train.images, data.victim_train.labels
    optimizer = torch.optim.AdamW(network.parameters(), 4e-3)
    steps = epochs * -(-len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for index in torch.randperm(len(images)).split(64):
            step = loss(network(images[index]), images[index], labels[index])
            optimizer.zero_grad()
            step.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


_MADE: dict[str, Split] = {}


def _halves(name: str, data: DataSplits) -> Split:
    """Each network is trained once."""
    if name not in _MADE:
        _MADE[name] = _trained_halves(name, data)
    return _MADE[name]


def _trained_halves(name: str, data: DataSplits) -> Split:
    family, outputs, loss, epochs, task, cut, crossing, _, _ = SIBLINGS[name]
    torch.manual_seed(0)
    program = export(_trained(family.build(1, outputs), data, loss, epochs), (1, 28, 28))
    network = Network(name, program, *_signature(program, name))
    found = choose("auto", facts_of(network, labelled=False))
    assert (found.name, found.guessed) == (task, True)
    made = task_class(found.name)(found.settings, [one.shape for one in network.outputs])
    return replace(split(network, cut, crossing=crossing), task=made)


def test_a_waist_keeps_most_of_the_masks(digits: DataSplits) -> None:
    """Two epochs; by far more than what one answer for all photos has in common with them."""
    halves = _halves("unet", digits)
    truth = truth_of(halves, digits.test.images, digits.test.labels)
    fitted = fit_and_calibrate(halves, digits, Fitting("pripro", epochs=2, max_drop=0.05, train="waist"))
    smashed = in_batches(fitted.head, digits.test.images)
    codes = smashing(fitted.protection, seeded(1))
    after = truth.accuracy(lambda part: fitted.split.tail(codes(part)), smashed) / truth.unprotected.mean().item()
    told = fitted.split.tail(codes(smashed)).mean(0, keepdim=True).expand(len(smashed), -1)
    assert after > 0.8
    assert truth.right(halves.task.keep(halves.task.answers(told))).mean() < 0.7 * after


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_percent_of_their_own_metric_is_kept(name: str, digits: DataSplits) -> None:
    halves = _halves(name, digits)
    truth = truth_of(halves, digits.test.images, digits.test.labels)
    *_, least, epochs = SIBLINGS[name]
    before = truth.unprotected.mean().item()
    assert before >= least
    fitted = fit_and_calibrate(halves, digits, Fitting("pripro", epochs=epochs, max_drop=0.01))
    assert fitted.calibration is not None
    assert fitted.calibration.met
    assert fitted.calibration.strength > 0
    smashed = in_batches(fitted.head, digits.test.images)
    noisy = smashing(fitted.protection, seeded(1))
    after = truth.accuracy(lambda part: halves.tail(noisy(part)), smashed)
    assert after / before > 0.98
