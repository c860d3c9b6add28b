"""What a partitioner or a runtime leaves out is seen: in files as shipped, and lowered anew for another backend."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from converter_cases import small_head
from torch import Tensor, nn

from converters.base import HeadProgram
from toolkit.convert.heads import converter
from toolkit.lint.matching import partitions
from toolkit.lint.report import examine, lint_head
from toolkit.lint.rules import load_backends
from toolkit.records.bundle import Head

pytestmark = pytest.mark.slow


class Torn(nn.Module):
    """Two convolutions with a running sum between them, which no delegate of ExecuTorch's CPU takes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)

    def forward(self, image: Tensor) -> Tensor:
        return self.second(torch.cumsum(self.first(image), dim=2))


def torn() -> HeadProgram:
    torch.manual_seed(0)
    return HeadProgram(Torn().eval(), None, torch.randn(1, 1, 8, 8))


def row_of(target: str, backend: str, entry: Path, operators: list, refused=None, made=None):
    (rules,) = load_backends((backend,))
    head = Head(
        target=target, precision="fp32", backend=rules.accelerator, entry="head/x", files=[], inputs=[], outputs=[],
        ops_delegated=made.ops_delegated if made else None, ops_total=made.ops_total if made else None, not_run=None,
        tools={},
    )  # fmt: skip
    return examine(operators, rules, head, version="", how="file" if made else "checker", refused=refused)


def test_a_torn_head_has_two_partitions_in_its_file(tmp_path: Path):
    made_by = converter("executorch")
    made = made_by.convert(torn(), tmp_path, precision="fp32", backend="xnnpack")
    operators = made_by.operators(tmp_path / made.entry)
    row = row_of("executorch", "executorch-xnnpack", tmp_path / made.entry, operators, made=made)
    assert row.partitions == 2
    assert [(each.rule, each.operator) for each in row.findings] == [("not-taken", "aten::cumsum.out")]
    assert row.ops_total is not None
    assert row.ops_taken == row.ops_total - 1


def test_a_clean_head_is_one_partition_in_its_file(tmp_path: Path):
    made_by = converter("executorch")
    made = made_by.convert(small_head(), tmp_path, precision="fp32", backend="xnnpack")
    row = row_of("executorch", "executorch-xnnpack", tmp_path, made_by.operators(tmp_path / made.entry), made=made)
    assert (row.partitions, row.findings, row.ops_taken) == (1, [], row.ops_total)


def test_the_partitioner_says_the_same_as_the_file():
    operators = converter("executorch").partitioned(torn(), precision="fp32", backend="xnnpack")
    outside = [each.kind for each in operators if each.partition is None]
    assert [kind.split(".")[0] for kind in outside] == ["aten::cumsum"]
    assert len({each.partition for each in operators} - {None}) == 2
    assert {len(value.shape) for each in operators for value in each.outputs if value.shape} == {4}


def test_xnnpack_in_litert_leaves_out_the_same_operator(tmp_path: Path):
    made_by = converter("tflite")
    made = made_by.convert(torn(), tmp_path, precision="fp32", backend="cpu")
    operators = made_by.operators(tmp_path / made.entry)
    refused = made_by.refused(tmp_path / made.entry, "cpu")
    assert {operators[place].kind for place in refused} == {"CUMSUM"}
    row = row_of("tflite", "tflite-cpu", tmp_path, operators, refused=refused)
    assert row.partitions == 2
    assert partitions(operators, set(range(len(operators)))) == 1


def test_a_head_that_a_backend_cannot_lower_is_a_row_that_was_not_run(tmp_path: Path):
    class Random(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image + torch.randn_like(image)

    (rules,) = load_backends(("executorch-vulkan",))
    head = Head(
        target="executorch", precision="fp32", backend="xnnpack", entry="head/x", files=[], inputs=[], outputs=[],
        ops_delegated=1, ops_total=1, not_run=None, tools={},
    )  # fmt: skip
    program = HeadProgram(Random().eval(), None, torch.randn(1, 1, 8, 8))
    row = lint_head(head, tmp_path / "head.pte", rules, lambda: program, {})
    assert (row.how, row.partitions) == ("not run", None)
    assert "cannot be expressed as ExecuTorch" in row.note
