"""The judge's own arithmetic, on arrays where the right answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.package import cases, limits
from toolkit.package.limits import TOLERANCES
from toolkit.verify.compare import cosine, max_abs, sqnr_db
from toolkit.verify.diagnose import diagnose
from toolkit.verify.numeric import numeric_rows
from toolkit.verify.privacy import noise_row, noise_strength
from toolkit.verify.relation import relation
from toolkit.verify.replay import Goldens
from toolkit.verify.rows import Subject
from toolkit.verify.statistics import Share
from toolkit.verify.task import end_to_end_row, through

RNG = np.random.default_rng(0)
SHAPE = (6, 7, 7)
ROWS = [cases.PHOTO] * 3 + [cases.OTHER_DRAW, cases.NO_NOISE, cases.SWINGING, cases.SATURATED, cases.BLACK]
SUBJECT = {precision: Subject("onnx", precision, "cpu", "onnx") for precision in ("fp32", "fp16", "int8")}


def features(n: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, *SHAPE)).astype(np.float32)


def goldens(sigma: float = 0.5) -> Goldens:
    """Smashed features base + weight * sigma * eps, with a weight per position and a sigma per channel."""
    image, eps = features(len(ROWS), 1), features(len(ROWS), 2)
    twins = slice(3, 7)
    image[twins] = image[0]
    eps[4], eps[5], eps[6] = 0.0, 6 * np.sign(eps[5]), 6.0
    return Goldens(
        {"image": image, "eps": eps, "eps_other": eps[::-1].copy()},
        {"smashed": image + strengths() * sigma * eps, "logits": features(8, 3).reshape(8, -1)[:, :10]},
        ROWS,
    )


def strengths() -> np.ndarray:
    return (np.linspace(0.2, 1, 7)[:, None] * np.linspace(0.5, 1.5, 6)[:, None, None]).astype(np.float32)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_wilson_interval_as_published(hits: int, n: int, low: float, high: float):
    """81 of 263: Newcombe, Statistics in Medicine 1998, method 3; the ends: z^2 / (n + z^2)."""
    assert Share(hits, n).interval == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_contains_the_share(case):
    share = Share(*case)
    low, high = share.interval
    assert 0.0 <= low <= share.value <= high <= 1.0
    assert high - low > 0.0


def test_measures_of_distance():
    right = np.array([[3.0, 4.0]], np.float32)
    assert max_abs(right, right + 0.5) == 0.5
    assert sqnr_db(right, right * 1.1) == pytest.approx(20.0, abs=1e-3)
    assert sqnr_db(right, right) == math.inf
    assert cosine(right, 2 * right) == pytest.approx(1.0)
    broken = np.array([[np.nan, 4.0]], np.float32)
    assert max_abs(right, broken) == math.inf
    assert sqnr_db(right, broken) == -math.inf


def test_fp32_limit_follows_large_features_only():
    assert limits.largest_difference(1e-4, np.array([9.0, -10.0])) == 1e-4
    assert limits.largest_difference(1e-4, np.array([1000.0])) == pytest.approx(1e-2)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda x: 0.5 * x, "0.5 times"),
        (lambda x: x[:, [2, 1, 0, 4, 5, 3]], "channels stand in another's place"),
        (lambda x: x.swapaxes(2, 3), "height and width are swapped"),
        (lambda x: x.transpose(0, 2, 3, 1).reshape(x.shape), "NHWC values handed out as NCHW"),
        (lambda x: np.where(x > 1, np.inf, x), "not finite"),
        (lambda x: x + features(1, 9), ""),
        (lambda x: x + 1e-3 * features(1, 9), ""),
    ],
)
def test_a_departure_is_named(damage, named: str):
    right = features()
    found = relation(right, np.ascontiguousarray(damage(right)))
    assert named in found if named else found == ""


def test_half_precision_overflow_is_told_from_other_infinities():
    right = np.full((1, 4), 1e5, np.float32)
    assert "half precision ends at 65504" in relation(right, np.full((1, 4), np.inf, np.float32))
    assert "65504" not in relation(right / 1e5, np.full((1, 4), np.nan, np.float32))


def test_right_answers_pass_and_say_how_strong_the_noise_is():
    given_ = goldens()
    for precision, subject in SUBJECT.items():
        rows = [*numeric_rows(subject, given_, given_.smashed, TOLERANCES), noise_row(subject, given_, given_.smashed)]
        assert [row.passed for row in rows] == [True, True, True], precision
        assert rows[0].n == 3
        assert rows[1].n == 5


def answers(sigma_share=1.0, weight_share=1.0) -> np.ndarray:
    given_ = goldens()
    noise = strengths() * 0.5 * given_.inputs["eps"] * sigma_share * weight_share
    return (given_.inputs["image"] + noise).astype(np.float32)


def one_channel_silent() -> np.ndarray:
    share = np.ones((6, 1, 1), np.float32)
    share[2] = 0.0
    return answers(sigma_share=share)


def one_corner_silent() -> np.ndarray:
    share = np.ones((1, 7, 7), np.float32)
    share[0, 5, 5] = 0.3
    return answers(weight_share=share)


@pytest.mark.parametrize(
    ("got", "named"),
    [
        (answers(0.0), "eps is ignored"),
        (answers(0.5), "0.5 of its strength: sigma is wrong"),
        (answers(1.5), "1.5 of its strength: sigma is wrong"),
        (one_channel_silent(), "in its weakest channel (sigma)"),
        (one_corner_silent(), "in its weakest position (W_A)"),
        (answers(0.5) * 1.5, "the part without noise departs, too"),
        (np.full_like(answers(), np.nan), "not finite"),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_weak_noise_fails_and_is_named(got: np.ndarray, named: str, precision: str):
    row = noise_row(SUBJECT[precision], goldens(), got)
    assert row.passed is False
    assert named in row.note
    assert row.level == "privacy"


def test_noise_strength_of_no_noise_at_all():
    nothing = np.zeros((2, *SHAPE))
    assert noise_strength(nothing, nothing).overall == 1.0
    assert noise_strength(nothing, nothing + 1).overall == np.inf


def test_goldens_without_a_noise_free_row_are_not_a_pass():
    old = goldens().take([0, 1, 2])
    row = noise_row(SUBJECT["fp32"], old, old.smashed)
    assert row.passed is None
    assert row.where == "not run"


def test_one_bad_hard_input_does_not_drown():
    given_, got = goldens(), goldens().smashed.copy()
    got[7] = 0.0
    photos, hard = numeric_rows(SUBJECT["fp16"], given_, got, TOLERANCES)
    assert photos.passed
    assert hard.passed is False
    assert "black" in hard.note


def head(image: np.ndarray) -> np.ndarray:
    """Something that depends on channels, rows and columns differently."""
    mixed = np.tensordot(np.arange(1, 13).reshape(4, 3) / 10, image, (1, 1)).transpose(1, 0, 2, 3)
    return np.tanh(mixed * np.linspace(0.1, 1, 8)[:, None]).astype(np.float32)


@pytest.mark.parametrize(
    ("misread", "named"),
    [
        (lambda x: x[:, ::-1], "red and blue are swapped"),
        (lambda x: x.reshape(1, 8, 8, 3).transpose(0, 3, 1, 2), "with NHWC values it agrees"),
        (lambda x: x.swapaxes(2, 3), "height and width swapped"),
        (lambda x: np.zeros_like(x), ""),
    ],
)
def test_a_misread_image_is_named_by_experiment(misread, named: str):
    image = np.random.default_rng(4).standard_normal((1, 3, 8, 8)).astype(np.float32)
    given_ = Goldens({"image": image}, {"smashed": head(image)}, [cases.PHOTO])
    run = lambda feed: head(misread(feed["image"]))  # noqa: E731
    found = diagnose(run, given_, given_.replay(run))
    assert named in found if named else "swapped" not in found


def test_a_tail_of_something_else_is_blamed_only_if_the_features_agree():
    given_ = goldens()
    wrong = -given_.expected["logits"][:3]
    assert "this tail" in end_to_end_row(SUBJECT["fp32"], given_, wrong, features_agree=True).note
    assert end_to_end_row(SUBJECT["fp32"], given_, wrong, features_agree=False).note == ""
    right = given_.expected["logits"][:3]
    assert end_to_end_row(SUBJECT["int8"], given_, right, features_agree=True).passed


@pytest.mark.parametrize(("shape", "largest"), [((4, 4, 4), 16), ((256, 56, 56), 2), ((64, 224, 224), 1)])
def test_requests_stay_within_what_a_server_takes(shape: tuple[int, ...], largest: int):
    sent = []

    def tail(smashed: np.ndarray) -> np.ndarray:
        sent.append(len(smashed))
        return smashed.reshape(len(smashed), -1)[:, :3]

    features_ = np.zeros((21 if largest > 1 else 2, *shape), np.float32)
    assert through(tail, features_).shape == (len(features_), 3)
    assert max(sent) == largest


def test_one_position_has_no_layout_to_mistake() -> None:
    right = np.random.default_rng(0).normal(size=(1, 32, 1, 1)).astype(np.float32)
    off = right + np.random.default_rng(1).normal(size=right.shape, scale=0.05).astype(np.float32)
    assert relation(right, off) == ""
