"""A target is one file: with it in converters/, and nothing else edited, convert and verify --explain know it."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from converter_cases import digits, eager, small_head

import converters
from toolkit.convert.heads import converter, plan_heads
from toolkit.verify.explain import explain_head
from toolkit.verify.replay import Goldens

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "fifth_target"


@pytest.fixture
def fifth(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(converters, "__path__", [*converters.__path__, str(FOLDER)])
    return converter("program")


def goldens() -> Goldens:
    images = torch.cat(digits(20)[:2]).numpy()
    eps = np.random.default_rng(0).standard_normal((2, 16, 14, 14), dtype=np.float32)
    rows = [{"image": images[i : i + 1], "eps": eps[i : i + 1]} for i in range(2)]
    smashed = np.concatenate([eager(small_head(), row) for row in rows])
    return Goldens({"image": images, "eps": eps, "eps_other": eps[::-1].copy()}, {"smashed": smashed}, ["photo"] * 2)


def test_convert_plans_and_makes_it(fifth, tmp_path):
    (wanted,) = plan_heads(["program"], ["fp32"])
    assert str(wanted) == "program fp32 eager"
    made = fifth.convert(small_head(), tmp_path, precision="fp32", backend="eager")
    rows = goldens()
    assert np.abs(rows.replay(fifth.load(tmp_path / made.entry).run) - rows.smashed).max() <= 1e-5


def test_explain_reads_what_it_traces(fifth, tmp_path):
    fifth.convert(small_head(), tmp_path, precision="fp32", backend="eager")
    found = explain_head(small_head(), "program", "fp32", "eager", tmp_path / "head.pt2", goldens())
    assert found.first.startswith("no layer departs")
    backbone = copy.deepcopy(small_head().backbone)
    with torch.no_grad():
        backbone[0].weight[2] *= 8
    fifth.convert(replace(small_head(), backbone=backbone), tmp_path, precision="fp32", backend="eager")
    found = explain_head(small_head(), "program", "fp32", "eager", tmp_path / "head.pt2", goldens())
    assert "departs is" in found.first
