"""Apple's runtime on Linux: digits at 80 dB, faults named, and files that would end the process refused."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from converter_cases import digits, eager, feed, small_head, sqnr_db
from require import require_package
from torch.nn import functional

from converters.base import ConverterError, HeadProgram
from converters.to_coreai import CoreaiRunner, ToCoreai
from toolkit.verify.explain import explain_head
from toolkit.verify.replay import Goldens

pytestmark = pytest.mark.slow
LEAST_SQNR = 80.0


@pytest.fixture(scope="module", autouse=True)
def _installed():
    require_package("coreai_torch", ToCoreai.extra)


def converted(head: HeadProgram, folder: Path) -> Path:
    return folder / ToCoreai().convert(head, folder, precision="fp32", backend="aimodel").entry


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(small_head(), tmp_path_factory.mktemp("coreai"))


def goldens() -> Goldens:
    images = torch.cat(digits(20)[:2]).numpy()
    eps = np.random.default_rng(0).standard_normal((2, 16, 14, 14), dtype=np.float32)
    rows = [{"image": images[i : i + 1], "eps": eps[i : i + 1]} for i in range(2)]
    smashed = np.concatenate([eager(small_head(), row) for row in rows])
    return Goldens({"image": images, "eps": eps, "eps_other": eps[::-1].copy()}, {"smashed": smashed}, ["photo"] * 2)


def test_digits_at_80_db(entry: Path):
    runner = CoreaiRunner(entry)
    for image in digits(20):
        given = feed(replace(small_head(), image=image))
        assert sqnr_db(eager(small_head(), given), runner.run(given)) >= LEAST_SQNR


def test_every_result_handed_out_leaves_the_answer_as_it_is_to_the_bit(entry: Path):
    given = feed(small_head())
    steps = ToCoreai().steps(small_head(), given, precision="fp32", backend="aimodel")
    assert np.array_equal(steps.smashed, CoreaiRunner(entry).run(given))
    assert len(steps.results) > 40
    order = list(steps.operators)  # the graph's, whatever order the runtime answers in
    assert list(steps.results) == sorted(steps.results, key=order.index)


def test_a_clean_head_departs_nowhere(entry: Path):
    found = explain_head(small_head(), "coreai", "fp32", "aimodel", entry, goldens())
    assert found.first.startswith("no layer departs")


def test_a_planted_fault_is_found(tmp_path: Path):
    backbone = copy.deepcopy(small_head().backbone)
    with torch.no_grad():
        backbone[0].weight[[2, 3]] = backbone[0].weight[[3, 2]]  # two filters in the wrong order
    entry = converted(replace(small_head(), backbone=backbone), tmp_path)
    rows = goldens()
    assert sqnr_db(rows.smashed, rows.replay(CoreaiRunner(entry).run)) < 30
    found = explain_head(small_head(), "coreai", "fp32", "aimodel", entry, rows)
    assert "convert it again" in found.first


class Apply(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.function(image)


WITHOUT_LOWERING = {
    "variance": lambda x: x.var(),
    "variance, biased": lambda x: x.var((2, 3), unbiased=False, keepdim=True),
    "deviation of two left out": lambda x: x.std((1, 3), correction=2),
    "elu": lambda x: functional.elu(x, 0.7),
    "elu of large values": lambda x: functional.elu(100 * x),
    "selu": functional.selu,
    "argmin": lambda x: x * x.argmin(1, keepdim=True),
    "argmin of all": lambda x: x + x.argmin(),
    "not a number": lambda x: torch.where((x.clamp(min=0) * float("inf")).isnan(), -2.0, x),
}


@pytest.mark.parametrize("function", WITHOUT_LOWERING.values(), ids=list(WITHOUT_LOWERING))
def test_what_apples_converter_has_no_lowering_for_is_written_with_others(function, tmp_path: Path):
    image = torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    head = HeadProgram(Apply(function).eval(), None, image)
    got = CoreaiRunner(converted(head, tmp_path)).run({"image": image.numpy()})
    assert np.allclose(got, function(image).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["main.mlirb", "main.hash", "metadata.json"])
@pytest.mark.parametrize("data", [None, b"", b"not a program"])
def test_a_damaged_folder_is_refused_before_the_runtime_sees_it(name: str, data: bytes | None, entry: Path, tmp_path):
    damaged = Path(shutil.copytree(entry, tmp_path / "head.aimodel"))
    (damaged / name).unlink()
    if data is not None:
        (damaged / name).write_bytes(data)
    with pytest.raises(ConverterError, match="again"):
        CoreaiRunner(damaged)
