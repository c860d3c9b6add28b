"""Re-identification, intervals and the judge's feature space, against what can be computed by hand."""

import itertools

import pytest
import torch
from torch import nn

from toolkit.attacks.base import Messages
from toolkit.evaluate.judge import Judge
from toolkit.evaluate.metrics.interval import pi_interval, ratio_interval, share_interval
from toolkit.evaluate.metrics.reidentification import closer_than_the_true_one, top1_among
from toolkit.evaluate.noise import Fresh, Memoised
from toolkit.evaluate.variants import near_duplicates
from toolkit.records.bundle import Preprocess


def test_success_among_n_is_what_counting_every_draw_gives():
    photos, among = 6, 3
    for closer in range(photos):
        draws = list(itertools.combinations(range(photos - 1), among - 1))
        none_closer = sum(all(one >= closer for one in draw) for draw in draws)
        found = top1_among(torch.tensor([closer]), photos, among)
        assert found.item() == pytest.approx(none_closer / len(draws))


def test_a_perfect_reconstruction_is_found_and_a_constant_one_is_not():
    photos = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    assert closer_than_the_true_one(photos, photos).tolist() == [0] * 50
    blind = closer_than_the_true_one(photos.mean(0, keepdim=True).expand(50, -1) + 1.0, photos)
    assert top1_among(blind, 50, 10).mean().item() == pytest.approx(0.1, abs=0.03)
    with pytest.raises(ValueError, match="cannot draw"):
        top1_among(blind, 50, 51)


def test_intervals_hold_the_truth_and_shrink_with_photos():
    hits = (torch.rand(400, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    low, high = share_interval(hits)
    # the normal approximation: 1.96 standard errors on each side
    assert (high - low) / 2 == pytest.approx(1.96 * (0.3 * 0.7 / 400) ** 0.5, rel=0.2)
    assert low < hits.mean() < high
    few = share_interval(hits[:40])
    assert few[1] - few[0] > 2 * (high - low)


def test_the_interval_of_a_ratio_pairs_the_photos():
    before = (torch.arange(300) % 3 > 0).float()
    assert ratio_interval(before, before) == (1.0, 1.0)  # lost nothing, whichever photos are drawn
    kept = before * (torch.arange(300) % 10 > 0)
    low, high = ratio_interval(before, kept)
    assert low < kept.mean() / before.mean() < high
    assert high - low < 0.15
    assert ratio_interval(torch.ones(300), kept) == share_interval(kept)
    assert ratio_interval(torch.zeros(300), kept) is None


def test_the_interval_of_pi_pairs_the_photos():
    before = torch.ones(300)
    after = (torch.arange(300) % 2).float()
    low, high = pi_interval(before, after, 0.0)
    assert low < 0.5 < high
    assert high - low < 0.15
    # the same attacker before and after is never hindered, whatever photos are drawn
    assert pi_interval(after, after, 0.1) == (0.0, 0.0)
    assert pi_interval(torch.zeros(300), after, 0.1) is None


def test_the_judges_features_are_what_its_last_layer_is_given():
    how = Preprocess(channels=3, height=8, width=8, mean=[0.5] * 3, std=[0.5] * 3)
    body, last = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(5, 4)
    images = torch.rand(6, 3, 8, 8)
    seen = Judge(nn.Sequential(body, last), how).look(images)
    scores, features = seen.probabilities, seen.features
    with torch.no_grad():
        torch.testing.assert_close(features, body((images - 0.5) / 0.5))
        torch.testing.assert_close(scores, torch.softmax(last(features), 1))


def test_memoised_noise_is_the_same_at_every_look_and_fresh_noise_is_not():
    for source, same in ((Memoised(), True), (Fresh(), False)):
        eps, guess = source.draw(5, 3, (2, 4, 4), torch.Generator().manual_seed(0))
        assert torch.equal(eps[:, 0], eps[:, 1]) is same
        assert not torch.equal(eps[0], eps[1])
        assert not torch.equal(eps[:, 0], guess)


def test_near_duplicates_are_near_and_start_with_the_photo():
    photos = torch.rand(3, 3, 32, 32).mul(0.2).add(torch.linspace(0, 0.6, 32))
    found = near_duplicates(photos, 4, torch.Generator().manual_seed(0))
    assert found.shape == (3, 4, 3, 32, 32)
    assert torch.equal(found[:, 0], photos)
    apart = (found[:, 1:] - photos[:, None]).abs().mean((1, 2, 3, 4))
    assert (apart > 0.005).all()
    assert (apart < 0.15).all()


def test_messages_index_by_photo():
    sent = Messages((torch.arange(24.0).reshape(4, 3, 2, 1, 1),), torch.ones(4, 3), (torch.arange(4.0)[:, None],))
    some = sent[torch.tensor([2, 0])]
    assert some.tensors[0][0, 0].flatten().tolist() == [12.0, 13.0]
    assert some.guess[0].flatten().tolist() == [2.0, 0.0]
    assert sent.first().looks == 1
    assert sent.looks == 3
