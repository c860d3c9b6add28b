"""The waist's parts by themselves: shapes, folding, rounding, tables, views, and the certificate's arithmetic."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from toolkit.datasets._data import Part
from toolkit.errors import InputError
from toolkit.protect.certificate import channel_bits, least_mse, most_often_right, photo_spectrum
from toolkit.protect.waist.decoder import Decoder
from toolkit.protect.waist.encoder import SPREAD, TrainingEncoder, geometry_of, plain_encoder
from toolkit.protect.waist.geometry import LEVEL, Geometry, choose_geometry, of_places
from toolkit.protect.waist.modules import Waist
from toolkit.protect.waist.start import linear_waist, patches, slopes_of
from toolkit.protect.waist.steering import Steering
from toolkit.protect.waist.symbols import Rounding, Symbols
from toolkit.protect.waist.tables import coding_for, ideal_bits, message_lengths, to_codes
from toolkit.protect.waist.views import VIEWS, Views
from toolkit.protections._devices import ALONE
from toolkit.protections.gaussian import Gaussian
from toolkit.tasks.classify import Classify
from toolkit.tasks.regress import Regress

CUTS = [
    ((16, 32, 32), 9),
    ((32, 16, 16), 9),
    ((64, 8, 8), 9),
    ((64, 7, 7), 9),
    ((192, 13, 13), 60),
    ((24, 112, 112), 40),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("features", "millions", "deep"), [(*cut, False) for cut in CUTS] + [(*cut, True) for cut in CUTS[:-1]]
)
def test_encoder_and_decoder_fit_every_cut(features, millions, deep):
    image = (3, 224, 224) if features[1] > 32 else (3, 32, 32)
    geometry = choose_geometry(features, image, millions * 1_000_000, deep=deep)
    assert (geometry.deep > 0) == deep
    z = plain_encoder(geometry)(torch.randn(2, *features))
    assert z.shape[1:] == geometry.shape
    assert Decoder(geometry).eval()(torch.zeros(2, *geometry.shape)).shape[1:] == features


@pytest.mark.parametrize("size", [(5, 5), (7, 7), (13, 9), (12, 4)])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_every_position_reaches_the_waist(size, stride):
    geometry = Geometry((3, *size), 2, stride, 4)
    features = torch.zeros(1, 3, *size, requires_grad=True)
    encoder = plain_encoder(geometry)
    with torch.no_grad():
        encoder[0].weight.fill_(1.0)
        encoder[0].bias.fill_(1.0)
        encoder[2].weight.fill_(1.0)
    encoder(features).sum().backward()
    assert (features.grad != 0).all()


def test_fewer_bytes_make_a_narrower_waist():
    wide, narrow = (choose_geometry((32, 16, 16), (3, 32, 32), 10**7, max_bytes=limit) for limit in (None, 20))
    assert narrow.symbols < wide.symbols
    assert narrow.symbols * 2 / 8 <= 20


def test_a_branch_may_be_given_more_work():
    at, head = ((64, 16, 16), (3, 32, 32)), 15_000_000
    usual, large = (Waist.empty(choose_geometry(*at, head, deep=True, branch=branch)) for branch in (None, 0.6))
    assert (usual.geometry.stages, large.geometry.stages) == (1, 2)
    assert large.geometry.deep > usual.geometry.deep
    assert 0.5 * head < large.encoder_macs < 0.7 * head


@pytest.mark.parametrize(("stride", "stages", "window"), [(2, 1, 1), (3, 1, 3), (4, 2, 1), (6, 1, 3), (8, 2, 2)])
def test_a_second_stage_where_the_stride_leaves_it_half(stride, stages, window):
    geometry = choose_geometry((64, 16, 16), (3, 32, 32), 15_000_000, stride=stride, deep=True, branch=0.6)
    assert (geometry.stages, geometry.window) == (stages, window)


def test_work_for_one_stage_alone_makes_one():
    geometry = choose_geometry((64, 16, 16), (3, 32, 32), 15_000_000, stride=8, deep=True, branch=0.025)
    assert (geometry.stages, geometry.deep) == (1, 8)


def test_a_late_cut_is_told_by_the_work_behind_it():
    behind = {
        share: choose_geometry(
            (128, 4, 4), (3, 32, 32), 20_000_000, deep=None, short=True, tail_macs=int(share * 20_000_000)
        )
        for share in (0.1, 1.0)
    }
    assert (behind[0.1].shape, behind[0.1].deep) == ((24, 1, 1), 0)
    assert behind[1.0].shape == (48, 1, 1)
    assert behind[1.0].deep > 0


def test_several_positions_need_fewer_channels_each():
    shape = {
        short: choose_geometry((64, 16, 16), (3, 32, 32), 15_000_000, short=short, tail_macs=30_000_000).shape
        for short in (True, False)
    }
    assert shape == {True: (24, 2, 2), False: (48, 4, 4)}


def test_an_answer_of_every_place_keeps_the_places():
    mask, classes = (choose_geometry((64, 14, 14), (3, 64, 64), 10**7, places=places) for places in (True, False))
    assert mask.shape[1:] == (14, 14)
    assert classes.shape[1:] == (3, 3)
    assert choose_geometry((64, 56, 56), (3, 224, 224), 10**8, places=True).shape[1:] == (14, 14)
    assert of_places([(2, 28, 28)])
    assert not of_places([(10,), ()])


def test_the_only_number_of_an_answer_has_slopes():
    torch.manual_seed(0)
    features, tail = torch.randn(4, 3, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(48, 1))
    assert slopes_of(tail, features, 0, Regress()).abs().min() > 0
    assert slopes_of(tail, features, 0, Classify()).abs().max() == 0  # one class: nothing tells photos apart


@pytest.mark.parametrize(("wrong", "word"), [({"stride": 17}, "--stride"), ({"channels": 0}, "--channels")])
def test_a_waist_that_does_not_fit_is_refused(wrong, word):
    with pytest.raises(InputError, match=word):
        choose_geometry((32, 16, 16), (3, 32, 32), 10**7, **wrong)


@pytest.mark.parametrize(("inner", "deep"), [(6, 0), (0, 0), (0, 5), (6, 5)])
@pytest.mark.parametrize(("size", "stride"), [((8, 8), 4), ((15, 13), 8), ((7, 7), 3), ((13, 9), 2), ((5, 4), 1)])
def test_a_folded_encoder_is_the_same_function_and_loads(size, stride, inner, deep):
    geometry = Geometry((6, *size), 3, stride, inner, deep, stages=2 if deep and stride % 4 == 0 else 1)
    encoder = TrainingEncoder(geometry)
    for _ in range(5):
        encoder(torch.randn(16, 6, *size) + 1)
    features = torch.randn(4, 6, *size)
    folded = encoder.folded()
    assert torch.allclose(folded(features), encoder(features), atol=1e-5)
    assert folded(features).shape[1:] == geometry.shape
    state = load(save(folded.state_dict()))
    assert geometry_of(geometry.features, 3, state) == geometry
    again = plain_encoder(geometry)
    again.load_state_dict(state)
    assert torch.equal(again(features), folded(features))


def test_of_a_large_photo_every_vector_of_directions_that_the_work_allows_is_channels():
    late, early = (
        choose_geometry(*at)
        for at in (((112, 14, 14), (3, 224, 224), 178 * 10**6), ((24, 56, 56), (3, 224, 224), 77 * 10**6))
    )
    assert (late.inner, late.channels) == (0, 192)
    assert (early.inner, early.channels) == (0, 64)
    assert Waist.empty(early).encoder_macs <= 0.07 * 77 * 10**6


def test_a_linear_encoder_starts_at_the_linear_waist_itself():
    geometry, generator = Geometry((6, 8, 8), 4, 4, 0), seeded()
    features = torch.randn(64, 6, 8, 8, generator=generator)
    linear = linear_waist(features, torch.randn(256, 6, 8, 8, generator=generator), geometry, 0)
    encoder = TrainingEncoder(geometry)
    encoder.start_from(linear)
    encoder.measure(features)
    wanted = (patches(features, geometry) - linear.mean) @ linear.down.T
    z = encoder.folded()(features).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.allclose(z, SPREAD * wanted / wanted.std(0, unbiased=False), atol=1e-2)


def test_a_deep_branch_that_a_head_has_no_room_for_is_refused():
    features, millions = CUTS[-1]
    with pytest.raises(InputError, match="--encoder deep does not fit: 8 channels at 24x112x112"):
        choose_geometry(features, (3, 224, 224), millions * 1_000_000, deep=True)


@pytest.mark.parametrize(("features", "millions"), CUTS[:-1])
def test_a_deep_branch_keeps_within_its_work(features, millions):
    image = (3, 224, 224) if features[1] > 32 else (3, 32, 32)
    head = millions * 1_000_000
    flat, deep = (Waist.empty(choose_geometry(features, image, head, deep=wanted)) for wanted in (False, True))
    # two thirds of a percent for the 1x1 behind it
    assert deep.encoder_macs - flat.encoder_macs < 0.097 * head


def test_rounding_gives_whole_numbers_within_the_levels_and_keeps_gradients():
    symbols = Symbols(2)
    noisy = torch.tensor([[[[-9.0, -0.4]], [[2.6, 0.5]]]], requires_grad=True)
    codes, bits = symbols(noisy)
    assert codes.flatten().tolist() == [-LEVEL, 0, LEVEL, 0]
    codes.sum().backward(retain_graph=True)
    assert (noisy.grad == 1).all(), "a clipped value must be able to come back"
    noisy.grad = None
    bits.sum().backward()
    assert noisy.grad[0, 1, 0, 0] > 0, "rarer codes cost more, so the gradient pulls towards the middle"
    assert torch.equal(Rounding()(noisy), codes)


def test_bits_are_those_of_the_learned_frequencies():
    symbols = Symbols(1)
    codes = torch.tensor([[[[-1.0, 2.0, 0.0]]]])
    cost = -torch.log2(torch.softmax(symbols.frequency, 1))[0]
    assert symbols(codes)[1].item() == pytest.approx((cost[2] + cost[5] + cost[3]).item(), rel=1e-5)


def test_tables_fit_the_codes_and_messages_are_as_long_as_the_tables_say():
    codes = to_codes(torch.randn(200, 4, 3, 3, generator=seeded()) * torch.tensor([0.2, 0.5, 1.0, 2.0])[:, None, None])
    coding = coding_for(codes.numpy(), pad=False)
    assert all(sum(table) == 1 << 14 for table in coding.tables)
    lengths, bits = message_lengths(coding, codes.numpy()), ideal_bits(coding.tables, codes.numpy())
    assert (bits / 8 <= lengths).all(), "no message may be shorter than its information"
    assert (lengths - bits / 8).mean() < 4
    padded = coding_for(codes.numpy(), pad=True)
    assert set(message_lengths(padded, codes.numpy())) == {padded.pad_bytes}


def test_views_are_the_same_every_time_and_differ_from_each_other():
    images = torch.rand(10, 3, 16, 16, generator=seeded())

    def tail(features):
        return features.mean((2, 3))

    def views():
        return Views(nn.Identity(), tail, (3, 16, 16), Part(images, torch.zeros(10)), 3, ALONE)

    order = torch.arange(10).split(5)
    first, again = ([list(views().batches(epoch, order)) for epoch in range(VIEWS)] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert all(torch.equal(a.images, b.images) for a, b in zip(one, other, strict=True))
        assert all(torch.equal(seen.answers, seen.images.mean((2, 3))) for seen in one)
    assert not torch.equal(first[0][0].images, first[1][0].images)
    assert torch.equal(images.sort().values.amax((2, 3)).amax(), first[0][1].images.amax().maximum(images.amax()))


@pytest.mark.parametrize(("lost", "rises"), [(0.0, True), (0.2, False)])
def test_privacy_weighs_more_while_accuracy_is_there_and_less_while_it_is_not(lost, rises):
    steering = Steering(0.01, None, 100, 20, 48)
    before = torch.ones(100)
    start = steering.weight.item()
    for _ in range(10):
        steering.look(before, lambda index: (torch.rand(len(index), generator=seeded()) >= lost).float(), 0.9)
    assert (steering.weight.item() > start) == rises


def test_a_longer_training_moves_the_weight_as_far_in_as_many_epochs():
    weights = []
    for looks in (100, 800):
        steering = Steering(0.01, None, 1000, looks, 48)
        for _ in range(looks // 2):
            steering.look(torch.ones(1000), lambda index: torch.ones(len(index)), 0.9)
        weights.append(steering.weight.item())
    assert weights[0] == pytest.approx(weights[1], rel=0.01)


def test_a_symbol_of_many_weighs_as_a_symbol_of_few():
    few, some, many = (Steering(0.01, None, 1000, 20, count).weight.item() for count in (24, 48, 480))
    assert few == some
    assert many * 480 == pytest.approx(some * 48)


def test_bytes_above_the_limit_make_rate_weigh_more():
    steering = Steering(0.01, 100.0, 10, 20, 48)
    for _ in range(50):
        steering.count_bits(200.0, 0.5)
    high = steering.extra_rate.item()
    for _ in range(400):
        steering.count_bits(50.0, 0.5)
    assert high > 0.01 > steering.extra_rate.item()


def test_no_bits_leave_the_prior_and_many_leave_nothing():
    spectrum = np.array([4.0, 1.0, 0.25, 0.0])
    assert least_mse(spectrum, 0.0) == pytest.approx(spectrum.mean())
    assert least_mse(spectrum, 1.0) == pytest.approx((1.0 + 1.0 + 0.25) / 4)  # one bit halves the largest one's spread
    assert least_mse(spectrum, 500.0) < 1e-12


def test_fano_knows_coins_and_dice():
    assert most_often_right(1.0, 2) == 1.0
    assert most_often_right(0.0, 2) == pytest.approx(0.5, abs=1e-6)
    assert most_often_right(0.0, 10) == pytest.approx(0.1, abs=1e-6)
    # a binary symmetric channel of error 0.11 tells half a bit
    assert most_often_right(0.5, 2) == pytest.approx(0.89, abs=1e-3)


def test_the_spectrum_holds_the_photos_variance():
    photos = torch.rand(300, 3, 8, 6, generator=seeded())
    spectrum = photo_spectrum(photos)
    assert spectrum.shape == (3 * 8 * 6,)
    assert spectrum.mean() == pytest.approx(photos.var(0, unbiased=False).mean().item(), rel=1e-5)


def test_the_channel_bound_is_the_divergence_that_sampling_finds():
    protection = Gaussian((1, 1, 1))
    protection.deviation.fill_(0.8)
    z = torch.tensor([-1.3, 0.2, 0.9, 3.4]).reshape(4, 1, 1, 1)
    codes = to_codes(torch.randn(50_000, 1, 1, 1, generator=seeded())).numpy()
    coding = coding_for(codes, pad=False)

    class Narrow:
        head = staticmethod(lambda images: images)

    bound = channel_bits(Narrow, protection, coding, z)
    drawn = to_codes(z + 0.8 * torch.randn(4, 200_000, 1, 1, generator=seeded(1))).reshape(4, -1).numpy()
    q = np.asarray(coding.tables[0]) / (1 << 14)
    sampled = 0.0
    for row in drawn:
        p = np.bincount(row, minlength=2 * LEVEL + 1) / len(row)
        sampled += sum(share * math.log2(share / q[code]) for code, share in enumerate(p) if share) / 4
    assert bound == pytest.approx(sampled, abs=0.01)
    assert bound <= ideal_bits(coding.tables, to_codes(z).numpy()).mean() + 1
