"""Memoised noise: the contract's bits, the normal distribution, and independence where there must be some."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import InputError
from toolkit.package import noise
from toolkit.package.noise import EDGE, key_stream, ln, memoised_eps, new_secret, photo_key, standard_normal

HERE = Path(__file__).parents[1] / "contract" / "noise"
BUNDLE, OTHER = "a1" * 32, "b2" * 32
SECRET = bytes(range(32))


def images(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 3, 6, 6)).astype(np.float32)


def test_cases_are_what_the_generator_writes(tmp_path):
    generate = runpy.run_path(str(HERE / "generate.py"))
    generate["main"].__globals__["HERE"] = tmp_path
    generate["main"]()
    assert (tmp_path / "cases.json").read_bytes() == (HERE / "cases.json").read_bytes()


@pytest.mark.parametrize(
    ("key", "block", "expected"),
    [
        (bytes(32), 0, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"),
        (bytes(32), 1, "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"),
        (bytes(31) + b"\1", 1, "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"),
    ],
)
def test_key_stream_is_chacha20(key, block, expected):
    """Source: RFC 8439, appendix A.1, test vectors 1 to 3."""
    assert key_stream([key], 0, block, 1)[0].astype("<u8").tobytes()[:32].hex() == expected


def test_key_streams_do_not_depend_on_their_company():
    keys = [bytes([n]) * 32 for n in range(5)]
    together = key_stream(keys, 2, 3, 4)
    for key, row in zip(keys, together, strict=True):
        np.testing.assert_array_equal(key_stream([key], 2, 3, 4)[0], row)


def test_logarithm_is_one():
    values = np.random.default_rng(0).random(20_000) ** 4 + 2.0**-60
    worst = max(abs(ln(x) - math.log(x)) / math.ulp(math.log(x)) for x in values.tolist() if x <= 1)
    assert worst < 4
    assert ln(1.0) == 0.0


def test_layers_close():
    """The areas of 256 layers make up the whole: the last edge, from the recursion, lands at the top of the density."""
    assert abs(noise.DENSITY[255] + noise._V / EDGE[255] - 1) < 1e-14
    assert np.allclose(noise.DENSITY[1:256], np.exp(-0.5 * np.square(EDGE[1:256])), rtol=1e-13)


def one_by_one(key, count):
    """The same numbers as a phone makes them: one word after the other."""
    stream = noise._Words(key, 0, key_stream([key], 0, 0, 1)[0])
    found, at = [], 0
    while len(found) < count:
        word = stream.word(at)
        layer, position = word & 0xFF, word >> 11
        if position < math.floor(EDGE[layer + 1] / EDGE[layer] * 2.0**53):
            value, at = float(position) * (EDGE[layer] / 2.0**53) * (-1 if word & 0x100 else 1), at + 1
        else:
            value, at = noise._edge(stream, at)
        if value is not None:
            found.append(np.float32(value))
    return np.array(found)


@pytest.mark.parametrize("count", [1, 7, 64, 1000, 30_000])
def test_all_at_once_is_one_by_one(count):
    key = bytes([count % 251]) * 32
    np.testing.assert_array_equal(standard_normal([key], count)[0], one_by_one(key, count))


def test_a_shorter_draw_is_the_beginning_of_a_longer_one():
    long = standard_normal([SECRET], 50_000)[0]
    for count in (1, 10, 999, 20_000):
        np.testing.assert_array_equal(standard_normal([SECRET], count)[0], long[:count])


def test_the_numbers_are_standard_normal():
    values = np.sort(standard_normal([bytes([n, 7]) * 16 for n in range(40)], 10_000).ravel().astype(np.float64))
    count = values.size
    assert abs(values.mean()) < 5 / math.sqrt(count)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 5 * math.sqrt(96 / count)
    cdf = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in values.tolist()])
    distance = max(np.abs(cdf - np.arange(count) / count).max(), np.abs(cdf - np.arange(1, count + 1) / count).max())
    assert distance * math.sqrt(count) < 2.63  # exceeded once in a million
    beyond = (np.abs(values) > EDGE[1]).sum()
    expected = count * math.erfc(EDGE[1] / math.sqrt(2))
    assert abs(beyond - expected) < 5 * math.sqrt(expected)


def test_the_same_photo_draws_the_same_noise_alone_or_in_company():
    batch = images(6)
    (together,) = memoised_eps(SECRET, BUNDLE, batch, [(4, 3, 3)])
    assert together.shape == (6, 4, 3, 3)
    for index in range(6):
        (alone,) = memoised_eps(SECRET, BUNDLE, batch[index : index + 1], [(4, 3, 3)])
        np.testing.assert_array_equal(alone[0], together[index])


@pytest.mark.parametrize("what", ["photo", "device", "bundle", "tensor"])
def test_anything_else_draws_independent_noise(what):
    batch = images(1)
    shapes = [(5000,)]
    (first,) = memoised_eps(SECRET, BUNDLE, batch, shapes)
    if what == "photo":
        batch = batch.copy()
        batch[0, 2, 5, 5] = np.nextafter(batch[0, 2, 5, 5], np.float32(9))
    other = memoised_eps(
        SECRET[::-1] if what == "device" else SECRET,
        OTHER if what == "bundle" else BUNDLE,
        batch,
        shapes * 2 if what == "tensor" else shapes,
    )[-1]
    assert abs(np.corrcoef(first[0], other[0])[0, 1]) < 5 / math.sqrt(5000)


def test_secrets():
    assert len({new_secret() for _ in range(20)}) == 20
    with pytest.raises(InputError, match="32 bytes"):
        photo_key(b"short", BUNDLE, images(1)[0])
