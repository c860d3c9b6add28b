"""Core AI heads of real networks on photos: 80 dB, and faults found. The measurement is benchmarks/parity's own."""

import sys
from functools import partial
from pathlib import Path

import pytest
from require import require_package

from converters.to_coreai import CoreaiRunner, ToCoreai
from toolkit.package.limits import TOLERANCES
from toolkit.verify.compare import sqnr_db
from toolkit.verify.numeric import numeric_rows
from toolkit.verify.rows import Subject

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "parity"))

pytestmark = pytest.mark.slow
LEAST_SQNR = 80.0
#: family, cut, and which of the benchmark's faults is planted here
HEADS = (
    ("resnet18", "layer2", "two filters in the wrong order"),
    ("mobilenet_v3_small", "features.4", "a filter times 0.5"),
    ("vit_b_16", "encoder.layers.encoder_layer_0", "a filter times 1.5"),
)


@pytest.fixture(scope="module", autouse=True)
def _installed():
    require_package("coreai_torch", ToCoreai.extra)


@pytest.mark.parametrize(("family", "cut", "fault"), HEADS, ids=[family for family, _, _ in HEADS])
def test_a_head_answers_at_80_db_on_photos_and_its_fault_is_found(family: str, cut: str, fault: str, tmp_path: Path):
    from coreai_runtime import FAULTS, answers, with_fault
    from heads import make

    case = make(family, cut, tmp_path)
    judge = partial(numeric_rows, Subject("coreai", "fp32", "aimodel", CoreaiRunner.title), case.goldens)
    right = case.goldens.smashed
    (tmp_path / "clean").mkdir()
    _, got = answers(case, case.program, tmp_path / "clean")
    assert len(case.goldens.real()) >= 4
    # photos, and the hard images beside them: white, saturated, speckle ...
    assert min(sqnr_db(right[row], got[row]) for row in range(len(right))) >= LEAST_SQNR
    assert all(row.passed for row in judge(got, TOLERANCES, lambda: ""))
    (tmp_path / "faulty").mkdir()
    _, wrong = answers(case, with_fault(case.program, FAULTS[fault]), tmp_path / "faulty")
    assert not all(row.passed for row in judge(wrong, TOLERANCES, lambda: ""))


@pytest.mark.parametrize("seed", [0, 3, 8, 9])
def test_a_fault_planted_by_seed_is_named_to_the_operator(seed: int):
    """Filters in another order, a norm's mean, softmax over the other axis, an average for a maximum."""
    import planted

    found = planted.run(seed, planted.goldens(), "coreai")
    assert found["named"], found
