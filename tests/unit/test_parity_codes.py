"""Judging heads that emit codes: rounding is forgiven, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from cloud_tail.signature import TensorSpec
from cloud_tail.wire import dequantise, quantise
from toolkit.package import cases
from toolkit.verify.codes import Codes
from toolkit.verify.judging import judge
from toolkit.verify.replay import Goldens
from toolkit.verify.rows import Subject

SHAPE = (6, 7, 7)
ROWS = [cases.PHOTO] * 3 + [cases.OTHER_DRAW, cases.NO_NOISE, cases.SWINGING, cases.SATURATED]
SPEC = TensorSpec(
    "smashed", "uint8", (-1, *SHAPE), "NCHW", (0.02, 0.025, 0.03, 0.022, 0.024, 0.026), (128, 120, 100, 140, 128, 90)
)
CODES = Codes(SPEC)
SUBJECT = Subject("onnx", "fp32", "cpu", "onnx", coded=True)


class NoTolerances:
    """A bundle that is not packaged yet: the usual limits count."""

    class manifest:
        golden = None


@pytest.fixture
def goldens() -> Goldens:
    """Smashed features with noise of one strength everywhere; the last rows go past the codes' range."""
    rng = np.random.default_rng(0)
    image, eps = (rng.standard_normal((len(ROWS), *SHAPE)).astype(np.float32) for _ in range(2))
    image[3:] = image[0]
    eps[4], eps[5], eps[6] = 0.0, 6 * np.sign(eps[5]), 6.0
    return Goldens({"image": image, "eps": eps}, {"smashed": 0.5 * image + 0.6 * eps}, ROWS)


def verdicts(goldens: Goldens, codes: np.ndarray, subject: Subject = SUBJECT) -> dict[str, bool | None]:
    return {row.where: row.passed for row in judge(NoTolerances(), subject, goldens, codes, codes=CODES)}


def test_eager_torchs_own_codes_pass(goldens):
    assert np.abs(goldens.smashed).max() > 255 * 0.03 / 2  # some features are cut
    rows = judge(NoTolerances(), SUBJECT, goldens, quantise(goldens.smashed, SPEC), codes=CODES)
    assert {row.where: row.passed for row in rows} == {"head": True, "hard inputs": True, "noise": True}
    assert all("+ code/2" in row.tolerance for row in rows if row.level == "numeric")


def test_codes_in_float32_as_core_ml_has_them_pass(goldens):
    assert verdicts(goldens, quantise(goldens.smashed, SPEC).astype(np.float32)) == {
        "head": True,
        "hard inputs": True,
        "noise": True,
    }


def test_one_step_too_many_in_one_channel_fails(goldens):
    codes = quantise(goldens.smashed, SPEC)
    codes[:, 2] = np.minimum(codes[:, 2].astype(int) + 1, 255)
    assert verdicts(goldens, codes)["head"] is False


def test_codes_of_another_scale_fail(goldens):
    wrong = replace(SPEC, scale=tuple(1.1 * step for step in SPEC.scale or ()))
    found = verdicts(goldens, quantise(goldens.smashed, wrong))
    assert found["head"] is False
    assert found["noise"] is False


def test_weaker_noise_fails_although_it_is_quantised(goldens):
    eps = goldens.inputs["eps"]
    weaker = goldens.smashed - 0.1 * 0.6 * eps
    assert verdicts(goldens, quantise(weaker, SPEC))["noise"] is False


def test_features_made_from_codes_give_the_same_codes():
    codes = np.random.default_rng(1).integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    assert np.array_equal(CODES.of_features(dequantise(codes, SPEC)), codes)


def coarse(idle: float, level: float = 0.47) -> tuple[Goldens, Codes]:
    """Behind a waist of seven levels: three photos whose channels are idle but for what eps adds."""
    rows = [cases.PHOTO] * 16 + [cases.OTHER_DRAW, cases.NO_NOISE, cases.SWINGING, cases.SATURATED] * 3
    rng = np.random.default_rng(0)
    image = rng.standard_normal((len(rows), 24, 1, 1)).astype(np.float32)
    image[16:] = image[:3].repeat(4, 0)
    eps = rng.standard_normal(image.shape).astype(np.float32)
    for index, row in enumerate(rows):
        eps[index] = {cases.NO_NOISE: 0.0, cases.SATURATED: 6.0}.get(row, eps[index])
        eps[index] = 6 * np.sign(eps[index]) if row == cases.SWINGING else eps[index]
    sigma = np.where(np.arange(24) < 6, idle * 4, level / 6)[None, :, None, None].astype(np.float32)
    spec = TensorSpec("smashed", "uint8", (-1, 24, 1, 1), "NCHW", (1.0,) * 24, (3,) * 24)
    base = np.where(np.arange(24) < 6, image[..., 0, 0], 0.0)[..., None, None].astype(np.float32)
    return Goldens({"image": image, "eps": eps}, {"smashed": base + sigma * eps}, rows), Codes(spec, 7)


def coarse_verdicts(golden: Goldens, codes: Codes, features: np.ndarray) -> dict[str, bool | None]:
    subject = Subject("tflite", "int8", "cpu", "tflite", coded=True)
    rows = judge(NoTolerances(), subject, golden, np.clip(np.rint(features) + 3, 0, 6), codes=codes)
    return {row.where: row.passed for row in rows}


def test_idle_channels_that_cross_a_border_together_are_no_fault():
    golden, codes = coarse(0.1)
    passed = {"head": True, "hard inputs": True, "noise": True}
    assert coarse_verdicts(golden, codes, golden.smashed) == passed
    # 0.47 of a code at eps = 6, and 0.05 more: 18 of 24 codes are another, in rows that have nothing else
    saturated = [index for index, row in enumerate(golden.rows) if row == cases.SATURATED]
    moved = golden.smashed.copy()
    moved[saturated] += 0.05
    assert coarse_verdicts(golden, codes, moved)["hard inputs"] is True
    moved[saturated] += 1.0
    assert coarse_verdicts(golden, codes, moved)["hard inputs"] is False


def test_codes_cut_off_where_calibration_ended_are_noise_of_less_strength():
    golden, codes = coarse(0.15)
    cut = np.minimum(golden.smashed, 1.0)
    assert coarse_verdicts(golden, codes, cut)["noise"] is False
