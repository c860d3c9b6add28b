"""Training in two phases: who learns when, on photos seen anew, and where an interrupted one goes on."""

import copy

import pytest
import torch
from privacy_case import FEATURES, case
from torch import nn

from toolkit.datasets._data import Part
from toolkit.partition.cuts import Crosser, Cut
from toolkit.partition.layouts import Layout
from toolkit.partition.split import Split
from toolkit.protect.protected import protection_class
from toolkit.protect.waist.geometry import Geometry
from toolkit.protect.waist.phases import phases_of
from toolkit.protect.waist.training import WaistTraining, train_waist
from toolkit.protect.waist.views import Views
from toolkit.protections._devices import ALONE
from toolkit.tasks._truth import truth_for

EPOCHS = 5


class Stopped(Exception):
    """As if the training had been killed."""


def trained(states=None, *, stop_after=None, resume_from=None, photos=96):
    one = case()
    cut = Cut(
        "head", (), FEATURES, 4 * 512, 20_000, 300_000, 80, 5_000, "head", (Crosser("head", FEATURES, Layout("NCHW")),)
    )
    halves = Split(one.head, one.tail, cut, (1, 16, 16), 10)
    geometry = Geometry(FEATURES, 6, FEATURES[1], 16)
    protection = protection_class("pripro").build(geometry.shape, {})
    few, watched = one.data.victim_train, one.data.victim_val
    truth = truth_for(halves.task, nn.Sequential(one.head, one.tail), watched.images, watched.labels)

    def checkpoint(state):
        if states is not None:
            states.append(copy.deepcopy(state))
        if stop_after is not None and len(states) == stop_after:
            raise Stopped

    return train_waist(
        WaistTraining(
            halves, geometry, protection, "all", {}, Part(few.images[:photos], few.labels[:photos]),
            watched.images, truth, 0.02,
            short=True, epochs=EPOCHS, batch_size=32, checkpoint=checkpoint, resume_from=resume_from,
        )
    )  # fmt: skip


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_epochs_are_divided_where_there_is_something_to_divide():
    assert [(p.learns, p.first, p.epochs) for p in phases_of(17, short=True)] == [("phone", 0, 14), ("server", 14, 3)]
    assert [p.learns for p in phases_of(2, short=True)] == [p.learns for p in phases_of(17, short=False)] == ["whole"]
    phone, server = phases_of(17, short=True)
    assert (phone.mixed, server.mixed) == (range(10), range(14, 16))


def test_the_phone_learns_first_and_the_server_for_what_is_sent():
    states = []
    trained(states)
    phone, end = states[EPOCHS - 2]["modules"], states[-1]["modules"]
    begun = states[0]["modules"]
    for name in ("decoder", "tail"):
        assert same(begun[name], phone[name]), f"{name} learned on the short path"
        assert not same(phone[name], end[name])
    for name in ("encoder", "head", "noise", "symbols", "short"):
        assert not same(begun[name], phone[name])
        assert same(phone[name], end[name]), f"{name} learned after what is sent was fixed"


@pytest.mark.parametrize("epoch", [2, EPOCHS - 1])
def test_an_interrupted_training_ends_with_the_same_weights_in_either_phase(epoch):
    whole = trained()
    states = []
    with pytest.raises(Stopped):
        trained(states, stop_after=epoch)
    again = trained(resume_from=states[-1])
    for part in ("head", "tail"):
        assert same(getattr(whole, part).state_dict(), getattr(again, part).state_dict())
    assert same(whole.waist.decoder.state_dict(), again.waist.decoder.state_dict())


def test_fresh_views_never_come_twice_and_mixtures_get_an_answer_of_their_own():
    images = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    order = torch.arange(12).split(6)

    def seen(epoch, *, mixed):
        part = Part(images, torch.zeros(12))
        views = Views(nn.Identity(), lambda maps: maps.square().mean((2, 3)), (3, 16, 16), part, 3, ALONE, fresh=True)
        return list(views.batches(epoch, order, mixed=mixed))

    plain, mixed, again, later = seen(0, mixed=False), seen(0, mixed=True), seen(0, mixed=True), seen(3, mixed=False)
    for one, other in zip(mixed, again, strict=True):
        assert torch.equal(one.images, other.images), "a resumed training must find the same"
    assert not torch.equal(plain[0].images, later[0].images), "the fourth epoch's views are not the first's"
    assert not torch.equal(plain[0].images, mixed[0].images)
    for one in (*plain, *mixed):
        assert torch.equal(one.answers, one.images.square().mean((2, 3)))


@pytest.mark.parametrize(
    ("head", "layout"),
    [(nn.Conv2d(3, 4, 3), torch.channels_last), (lambda maps: maps.view(len(maps), -1), torch.contiguous_format)],
)
def test_views_are_laid_out_as_the_network_is_fastest_with_them(head, layout):
    part = Part(torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.zeros(6))
    views = Views(head, nn.Flatten(), (4, 14, 14), part, 3, ALONE, fresh=True)
    (seen,) = views.batches(0, [torch.arange(6)], mixed=True)
    assert seen.images.is_contiguous(memory_format=layout)
