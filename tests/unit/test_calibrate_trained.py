"""How strong noise behind a trained waist may become: never so strong that only the sample at hand bears it."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from toolkit.protect.calibrate import calibrate_trained
from toolkit.protections.gaussian import Gaussian
from toolkit.tasks._truth import truth_for
from toolkit.tasks.classify import Classify

ALLOWED = 0.05


def searched(count: int, noise: float = 0.11):
    """Search over `count` photos, whose two scores lie evenly between a toss-up and certain."""
    apart = torch.linspace(0.0, 1.0, count)[:, None, None, None]
    images = torch.cat([apart, -apart], dim=1)
    narrow = SimpleNamespace(head=nn.Identity(), tail=nn.Flatten())
    protection = Gaussian((2, 1, 1))
    protection.settle({"scale": noise}, torch.Generator())
    truth = truth_for(Classify(), narrow.tail, images, torch.zeros(count, dtype=torch.long))
    return calibrate_trained(protection, narrow, images, truth, truth.unprotected, max_drop=ALLOWED, draws=5, seed=0)


def test_what_is_lost_and_a_margin_for_the_sample_are_within_the_drop():
    found = searched(300)
    assert found.strength > 1.0
    assert found.margin > 0.0
    assert found.unprotected - found.protected + found.margin <= ALLOWED
    refused = dict(found.tried)[max(dict(found.tried))]
    assert found.unprotected - refused < ALLOWED, "the next strength loses less than is allowed, but might lose more"


def test_more_photos_need_less_margin_and_bear_more_noise():
    few, many = searched(300), searched(30_000)
    assert many.margin < few.margin / 5
    assert many.strength > few.strength


@pytest.mark.parametrize("noise", [0.16, 0.165])
def test_what_was_trained_is_judged_by_its_mean(noise):
    found = searched(300, noise)
    assert (found.strength, found.met) == (1.0, True)
