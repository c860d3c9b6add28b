import math

import pytest
import torch

from toolkit.evaluate.metrics import likeness
from toolkit.evaluate.metrics.pa import pa, pa_per_input
from toolkit.evaluate.metrics.pi import pi, pi_per_input, worst


def _pictures():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_identical_images_are_perfect():
    pictures = _pictures()
    assert likeness.psnr(pictures, pictures).tolist() == [math.inf] * 3
    assert likeness.ssim(pictures, pictures).tolist() == pytest.approx([1.0] * 3)


def test_psnr_has_data_range_one():
    # black against white is 0 dB with range 1; with range 255 it would be 48 dB
    black, white = torch.zeros(1, 1, 28, 28), torch.ones(1, 1, 28, 28)
    assert likeness.psnr(black, white).item() == pytest.approx(0.0)
    assert likeness.psnr(black, black + 0.1).item() == pytest.approx(20.0, abs=1e-4)


def test_ssim_has_data_range_one():
    # two flat images: (2ab + c1) / (a^2 + b^2 + c1) with c1 = (0.01 * range)^2
    flat, other = torch.full((1, 1, 28, 28), 0.2), torch.full((1, 1, 28, 28), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert likeness.ssim(flat, other).item() == pytest.approx(expected, abs=1e-4)


def test_pa_is_the_share_that_is_left():
    assert pa(0.9, 0.9) == 1.0
    assert pa(0.8, 0.4) == 0.5
    with pytest.raises(ValueError, match="never right"):
        pa(0.0, 0.0)
    assert pa_per_input(torch.tensor([[1, 0], [1, 1]])).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(0.9, 0.9, 0.0), (0.9, 0.1, 1.0), (0.9, 0.5, 0.5), (0.9, 0.95, 0.0), (0.9, 0.05, 1.0), (0.11, 0.1, None)],
)
def test_pi_runs_from_not_hindered_to_chance(before, after, expected):
    found = pi(before, after, 0.1)
    assert found == (None if expected is None else pytest.approx(expected))


def test_pi_per_input_leaves_out_what_had_nothing_to_lose():
    found = pi_per_input(torch.tensor([0.9, 0.1, 0.5]), torch.tensor([0.5, 0.0, 0.5]), 0.1)
    assert found.tolist() == pytest.approx([0.5, 0.0])


def test_an_attacker_that_learned_nothing_leaves_everybody_protected():
    # its scores are the chance for every input, whatever a constant guess happens to hit
    found = pi_per_input(torch.full((30,), 0.9), torch.full((30,), 1 / 3), 1 / 3)
    assert found.tolist() == pytest.approx([1.0] * 30)


def test_worst_is_the_mean_of_the_least_protected():
    values = torch.arange(100) / 100
    assert worst(values, 0.05) == pytest.approx((0 + 1 + 2 + 3 + 4) / 500)
    assert worst(values, 0.01) == 0.0
    assert worst(torch.tensor([]), 0.05) is None
