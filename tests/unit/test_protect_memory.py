"""What `protect` holds at a time: photos and features by their bytes, a batch's activations in parts, one batch."""

import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit import inference
from toolkit.datasets._data import DataSplits, Part
from toolkit.datasets._preprocess import preprocess_for
from toolkit.inference import rows_at_once, seeded, smash
from toolkit.partition.split import Split
from toolkit.protect import kept
from toolkit.protect.codes import wire_codes
from toolkit.protect.describe import describe
from toolkit.protect.fitting import Fitting, fit_and_calibrate
from toolkit.protect.settings import ProtectSettings
from toolkit.protections import _features, _training, pripro
from toolkit.protections._parts import InParts, behind, kept_bytes
from toolkit.protections.base import Training
from toolkit.protections.gaussian import Gaussian
from toolkit.protections.pripro import PriPro
from toolkit.tasks.classify import Classify

FEATURES = (4, 12, 12)


class Seen(nn.Module):
    """Notes how many rows went through together."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.rows = network, list[int]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.rows.append(len(inputs))
        found: Tensor = self.network(inputs)
        return found


def halves() -> Split:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    tail = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 144, 3))
    cut: Any = SimpleNamespace(shape=FEATURES)
    seen = [Seen(half.requires_grad_(False)).eval() for half in (head, tail)]
    return Split(seen[0], seen[1], cut, (3, 24, 24), 3, Classify())


def photos(count: int) -> Part:
    return Part(torch.randn(count, 3, 24, 24, generator=seeded(1)), torch.full((count,), -1))


@pytest.fixture
def forty_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 5 photos; of features, 17 where no noise is drawn and 16 where it is."""
    monkeypatch.setattr(inference, "_BATCH_BYTES", 40_000)
    monkeypatch.setattr(inference, "_LEAST_ROWS", 5)


@pytest.mark.usefixtures("forty_kb")
@pytest.mark.parametrize("drop", [None, 0.5])
def test_no_step_takes_more_photos_together_than_their_bytes_allow(drop: float | None) -> None:
    network, data = halves(), DataSplits(photos(60), photos(40), photos(1), photos(40), ())
    wanted = Fitting("gaussian", max_drop=drop, draws=2)
    fitted = fit_and_calibrate(network, data, wanted)
    bundle: Any = SimpleNamespace(manifest=SimpleNamespace(preprocess=preprocess_for((3, 24, 24))))
    describe(bundle, network, fitted, ProtectSettings(method="gaussian", train="injector", epochs=1), data)
    assert isinstance(network.head, Seen)
    assert isinstance(network.tail, Seen)
    assert max(network.head.rows) == 5
    assert max(network.tail.rows) <= 17


@pytest.mark.usefixtures("forty_kb")
@pytest.mark.parametrize("method", [Gaussian, PriPro])
def test_noise_of_parts_is_that_of_one_draw(method: type[Gaussian | PriPro]) -> None:
    protection, smashed = method.build(FEATURES).eval(), torch.randn(53, *FEATURES)
    rows = rows_at_once(smashed, draws=True)
    assert rows == 16
    generator = seeded(3)
    with torch.no_grad():
        parts = torch.cat([smash(protection, part, generator) for part in smashed.split(rows)])
        torch.testing.assert_close(parts, smash(protection, smashed, seeded(3)), rtol=1e-5, atol=1e-6)


def test_few_photos_are_drawn_for_where_few_were_asked_for() -> None:
    assert rows_at_once(torch.empty(3, 1 << 22, device="meta"), 4, draws=True) == 4
    assert rows_at_once(torch.empty(3, 2), 64, draws=True) == 64


@pytest.mark.usefixtures("forty_kb")
def test_codes_are_those_of_all_values_sorted() -> None:
    protection, smashed = Gaussian.build(FEATURES), torch.randn(53, *FEATURES) * torch.arange(1, 5)[:, None, None]
    found = wire_codes(protection, smashed)
    values = smash(protection, smashed, seeded(2)).transpose(0, 1).flatten(1).sort(1).values
    clipped = int(0.0005 * values.shape[1])
    assert clipped > 1
    scale = (values[:, -1 - clipped] - values[:, clipped]) / 255
    assert found.scale == scale.tolist()
    assert found.zero_point == (-values[:, clipped] / scale).round().tolist()


def injector(features: tuple[int, int, int] = FEATURES) -> PriPro:
    protection = PriPro.build(features).double()
    protection.start_from(torch.randn(9, *features, dtype=torch.float64), seeded(0))
    return protection


def gradients(loss: Tensor, protection: PriPro) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(protection.parameters())))


@pytest.mark.parametrize("rows", [1, 5, 12])
def test_the_leak_of_rows_is_the_leak_of_whole_features(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    protection, smashed = injector(), torch.randn(9, *FEATURES, dtype=torch.float64)
    labels = torch.arange(9) % 3
    whole = protection._leak(smashed, labels, 3)
    monkeypatch.setattr(pripro, "_LEAK_BYTES", 4 * smashed.numel() * rows // 12)
    found = protection._leak(smashed, labels, 3)
    torch.testing.assert_close(found, whole)
    torch.testing.assert_close(gradients(found, protection), gradients(whole, protection))


def test_the_leak_of_large_features_keeps_a_fraction(monkeypatch: pytest.MonkeyPatch) -> None:
    protection, smashed = injector((16, 56, 56)), torch.randn(9, 16, 56, 56, dtype=torch.float64)
    labels = torch.arange(9) % 3

    class Leak(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return protection._leak(given, labels, 3)

    whole = kept_bytes(Leak(), smashed)
    monkeypatch.setattr(pripro, "_LEAK_BYTES", 4 * smashed.numel() // 8)
    assert kept_bytes(Leak(), smashed) < whole / 2


def test_a_protection_goes_in_the_same_parts_as_the_tail() -> None:
    protection, smashed = injector(), torch.randn(9, *FEATURES, dtype=torch.float64)
    eps, tail = torch.randn_like(smashed), halves().tail.double()
    each = kept_bytes(tail, smashed[:1])
    parts = InParts(tail, whole=0, part=2 * each)
    assert isinstance(tail, Seen)
    tail.rows.clear()
    found, whole = (behind(one, protection, smashed, eps) for one in (parts, tail))
    torch.testing.assert_close(found, whole)
    assert tail.rows == [1, 2, 2, 2, 2, 1, 9], "one for its size, then parts, then the whole"
    torch.testing.assert_close(gradients(found.sum(), protection), gradients(whole.sum(), protection))
    with torch.no_grad():
        tail.rows.clear()
        torch.testing.assert_close(parts(smashed), tail(smashed))
    assert tail.rows == [2, 2, 2, 2, 1, 9]


def test_one_batch_is_gone_before_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    network, made, before = halves(), list[weakref.ref[Tensor]](), list[int]()

    def features(index: Tensor) -> Tensor:
        before.append(sum(one() is not None for one in made))
        found = torch.zeros(len(index), *FEATURES)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(
        _training, "features_of", lambda training: SimpleNamespace(batches=lambda order: map(features, order))
    )
    images = photos(20).images
    training = Training(network.head, network.tail, images, torch.zeros(20, dtype=torch.int64), batch_size=4, epochs=2)
    _training.run(training, {}, {}, lambda step: step.all_smashed.sum().item(), "counting")
    assert before == [0] * 10


def test_a_frozen_network_is_not_copied_on_a_cpu() -> None:
    network = halves()
    part = photos(20)
    data = DataSplits(part, part, part, part, ())
    assert fit_and_calibrate(network, data, Fitting("gaussian")).head is network.head
    assert fit_and_calibrate(network, data, Fitting("nopeek", epochs=1)).head is not network.head


def test_more_features_than_memory_should_hold_are_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network, images = halves(), photos(50).images
    held = kept.kept(network.head, images, tmp_path)
    monkeypatch.setattr(kept, "_IN_MEMORY", 50 * 4 * 4 * 12 * 12 - 1)
    filed = kept.kept(network.head, images, tmp_path)
    assert isinstance(held, Tensor)
    assert isinstance(filed, kept.OnDisk)
    assert (filed.shape, len(filed)) == (held.shape, 50)
    for size in (16, 50, 64):
        for one, other in zip(filed.split(size), held.split(size), strict=True):
            assert torch.equal(one, other)
    assert not list(tmp_path.iterdir()), "the file has no name"
    assert isinstance(kept.kept(network.head, images, None), Tensor)
    monkeypatch.setattr(_features.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
    assert isinstance(kept.kept(network.head, images, tmp_path), Tensor), "the disk has no room"


def test_the_search_finds_the_same_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network, found = halves(), []
    for most, scratch in ((1 << 30, None), (0, tmp_path)):
        monkeypatch.setattr(kept, "_IN_MEMORY", most)
        data = DataSplits(photos(20), photos(40), photos(1), photos(1), ())
        fitted = fit_and_calibrate(network, data, Fitting("gaussian", max_drop=0.2, draws=2), scratch=scratch)
        found.append(fitted.calibration)
    assert found[0] == found[1]
