"""Devices: names, shares of a batch, and that every tensor of a training is where the network is."""

import pytest
import torch
from torch import nn

from toolkit.datasets._data import Part
from toolkit.errors import InputError
from toolkit.inference import fastest_layout
from toolkit.partition.cuts import Cut
from toolkit.partition.split import Split
from toolkit.protect.protected import protection_class
from toolkit.protect.waist.geometry import Geometry
from toolkit.protect.waist.training import WaistTraining, _Run
from toolkit.protect.waist.views import Seen
from toolkit.protections import _features
from toolkit.protections._devices import ALONE, Devices, devices_for
from toolkit.protections._features import Anew, Held, Mapped, features_of
from toolkit.protections.base import Training
from toolkit.protections.pripro import PriPro
from toolkit.tasks._truth import truth_for
from toolkit.tasks.classify import Classify

FEATURES = (4, 6, 6)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("gpu", "There is no device 'gpu'; choose auto"),
        ("cuda:99", "There is no device cuda:99 here"),
        ("cpu:1", "There is no device"),
    ],
)
def test_devices_that_do_not_exist_are_refused(spec, sentence):
    with pytest.raises(InputError, match=sentence):
        devices_for(spec)


def test_unknown_precision_and_a_device_that_cannot_be_shared(monkeypatch):
    with pytest.raises(InputError, match="no precision 'fp8'"):
        devices_for("cpu", "fp8")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="2 processes cannot share the device cuda:1"):
        devices_for("cuda:1")


def test_auto_takes_the_first_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices_for("auto") == ALONE
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices_for("auto").device.type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices_for("auto").device.type == "cuda"


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_shares_cover_a_batch_once_and_weigh_as_its_mean(count):
    index, values = torch.arange(count), torch.randn(count)
    places = [Devices(torch.device("cpu"), rank, 3) for rank in range(3)]
    shares = [place.own(index) for place in places]
    if count >= 3:
        assert torch.cat(shares).sort().values.tolist() == index.tolist()
    means = [place.weight(index) * values[share].mean() for place, share in zip(places, shares, strict=True)]
    assert torch.isclose(torch.stack(means).mean(), values.mean(), atol=1e-6)


def halves():
    torch.manual_seed(3)
    head = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    tail = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 3))
    return head.requires_grad_(False), tail.requires_grad_(False)


def training(**more):
    head, tail = halves()
    generator = torch.Generator().manual_seed(4)
    labels = torch.randint(0, 3, (50,), generator=generator)
    return Training(
        head, tail, torch.randn(50, 1, 12, 12, generator=generator), labels, epochs=2, batch_size=16, **more
    )


def weights(monkeypatch, in_memory, scratch):
    monkeypatch.setattr(_features, "IN_MEMORY", in_memory)
    protection = PriPro.build(FEATURES)
    protection.fit(training(scratch=scratch))
    return protection.state_dict()


@pytest.mark.slow
def test_features_on_the_disk_or_computed_anew_train_to_the_same_bits(monkeypatch, tmp_path):
    held = weights(monkeypatch, 1 << 30, None)
    big_sample = 50 * 4 * 6 * 6 * 4 - 1  # one byte short of all features
    sample = _features.sample_of
    for folder, kind in ((tmp_path, Mapped), (None, Anew)):
        monkeypatch.setattr(_features, "IN_MEMORY", big_sample)
        assert isinstance(features_of(training(scratch=folder)), kind)
        monkeypatch.setattr(
            "toolkit.protections.pripro.sample_of", lambda found: _whole(found, sample, monkeypatch, big_sample)
        )
        protection = PriPro.build(FEATURES)
        protection.fit(training(scratch=folder))
        for name, value in protection.state_dict().items():
            assert torch.equal(value, held[name]), (kind, name)
    assert list(tmp_path.iterdir()) == [], "the file goes with the mapping"


def _whole(found, sample, monkeypatch, back_to):
    monkeypatch.setattr(_features, "IN_MEMORY", 1 << 30)
    made = sample(found)
    monkeypatch.setattr(_features, "IN_MEMORY", back_to)
    return made


def test_small_features_are_held(tmp_path):
    assert isinstance(features_of(training(scratch=tmp_path)), Held)


def test_a_disk_without_room_means_computing_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(_features, "IN_MEMORY", 10)
    monkeypatch.setattr(_features.shutil, "disk_usage", lambda folder: _Full())
    assert isinstance(features_of(training(scratch=tmp_path)), Anew)


class _Full:
    free = 1 << 20


def test_every_tensor_of_a_step_is_sent_to_the_device(monkeypatch):
    """A device that is none of this machine's: `meta` refuses to mix with the CPU, as cuda and mps do."""
    head, tail = (half.to("meta") for half in halves())
    there = Devices(torch.device("meta"))
    from toolkit.protections._training import Step

    index = torch.arange(5)
    smashed, labels = torch.randn(5, *FEATURES), torch.randint(0, 3, (5,))
    step = Step(
        labels=there.own(labels).to("meta"), index=index, generator=torch.Generator().manual_seed(0), weight=1.0,
        batch=index, all_labels=labels.to("meta"), devices=there, training=training(), given_images=None,
        given_smashed=smashed.to("meta"),
    )  # fmt: skip
    protection = PriPro.build(FEATURES).to("meta")
    protected = protection(step.smashed, *step.noise_for(protection))
    loss = nn.functional.cross_entropy(tail(protected), step.labels)
    loss = loss + protection._leak(step.all_smashed, step.all_labels, 3)
    loss.backward()
    assert {parameter.grad.device.type for parameter in protection.parameters()} == {"meta"}
    assert head(torch.empty(1, 1, 12, 12, device="meta")).shape[1:] == FEATURES


@pytest.mark.parametrize(("method", "train"), [("pripro", "all"), ("adversarial", "waist"), ("nopeek", "waist")])
def test_every_tensor_of_a_waists_step_is_sent_to_the_device(method, train, monkeypatch):
    monkeypatch.setattr(Classify, "groups", lambda task, kept: (kept[0], 3))  # their number is read from values
    (head, tail), part = halves(), training()
    photos = Part(part.images, part.labels)
    cut = Cut("head", (), FEATURES, 4 * 144, 20_000, 10_000, 80, 5_000, "head", ())
    network = Split(head, tail, cut, (1, 12, 12), 3)
    geometry = Geometry(FEATURES, 4, 3, 8)
    protection = protection_class(method).build(geometry.shape, {})
    truth = truth_for(network.task, nn.Sequential(head, tail), part.images, part.labels)
    run = _Run(
        WaistTraining(
            network, geometry, protection, train, {}, photos, part.images, truth, 0.1, epochs=1, batch_size=16,
            devices=Devices(torch.device("meta")),
        )
    )  # fmt: skip
    (learner,) = run._learners()
    index = torch.arange(16)
    images = part.images[index].to("meta")
    loss, bits = run._loss(Seen(images, run.head(images).detach(), torch.empty(16, 3, device="meta")), index, 0.5)
    loss.backward()
    assert {value.device.type for value in (loss, bits)} == {"meta"}
    assert {parameter.grad.device.type for parameter in learner.learning if parameter.grad is not None} == {"meta"}


class _Viewing(nn.Module):
    """A head that looks at its features as rows, as the graphs of vision transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image):
        made = self.conv(image)
        return made.view(len(made), 4 * 144).unflatten(1, (4, 12, 12))


@pytest.mark.parametrize(
    ("head", "layout"),
    [(nn.Conv2d(3, 4, 3, padding=1), torch.channels_last), (_Viewing(), torch.contiguous_format)],
)
def test_the_layout_changes_no_feature_and_gives_way_where_a_head_cannot_bear_it(head, layout):
    images = torch.randn(9, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    found = Training(head, nn.Identity(), images, torch.zeros(9, dtype=torch.long))
    assert fastest_layout(found.head, images[:1]) is layout
    (made,) = _features.head_of(found, [torch.arange(9)])
    assert made.is_contiguous()
    with torch.no_grad():
        assert torch.allclose(made, head(images), atol=1e-5)
