"""`pripro lint` as a person and CI use it: planted heads are refused, bad input is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import parity_bundle
import pytest
from lint_graphs import matmul_options, tflite_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded
from toolkit.records.bundle import Head
from toolkit.records.lint import LintReport

pytestmark = pytest.mark.slow
F32 = "float32"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return parity_bundle.copy_of(parity_bundle.shared(), tmp_path_factory.mktemp("lint") / "bundle")


@pytest.fixture
def planted(clean: Bundle, tmp_path: Path) -> Bundle:
    """A .tflite head: attention of rank 3, in whose middle stands an operator that no GPU takes."""
    bundle = parity_bundle.copy_of(clean, tmp_path / "planted")
    tensor = (F32, (2, 4, 4), False)
    steps = [
        ("BATCH_MATMUL", [0, 1], 2, matmul_options()),
        ("UNIQUE", [2], 3, None),
        ("BATCH_MATMUL", [3, 1], 4, matmul_options()),
    ]
    with bundle.extending() as stage:
        made = stage.scratch("head")
        tflite_file(steps, [tensor] * 5, made)
        files = stage.keep(made, "head/tflite")
        head = Head(
            target="tflite", precision="fp32", backend="cpu", entry=files[0].path, files=files, inputs=[], outputs=[],
            ops_delegated=None, ops_total=None, not_run=None, tools={"ai-edge-litert": "2.3.0"},
        )  # fmt: skip
        bundle.commit(bundle.manifest.model_copy(update={"heads": [*bundle.manifest.heads, head]}))
    return bundle


def lint(*arguments: object) -> int:
    return guarded(lambda: app(["lint", *map(str, arguments)]))


def test_a_planted_head_is_refused_for_all_three_reasons(planted: Bundle, capsys: pytest.CaptureFixture[str]):
    wanted = "fallback,partitions:1,known-wrong"
    assert lint(planted.root, "--backend", "tflite-gpu", "--fail-on", wanted, "--json") == 1
    shown = capsys.readouterr()
    report = LintReport.model_validate_json(shown.out)
    (row,) = report.rows
    assert (row.ops_taken, row.ops_total, row.partitions) == (2, 3, 2)
    assert {(each.rule, each.operator, each.count) for each in row.findings} == {
        ("rank-3-product", "BATCH_MATMUL", 2),
        ("not-taken", "UNIQUE", 1),
    }
    (sentence,) = report.refused
    for word in ("known-wrong", "fallback", "2 partitions"):
        assert word in sentence
    assert all(each.source.startswith("https://") for each in row.findings)


@pytest.mark.parametrize("word", ["fallback", "partitions:1", "known-wrong"])
def test_each_reason_alone_refuses_it(planted: Bundle, word: str):
    assert lint(planted.root, "--backend", "tflite-gpu", "--fail-on", word) == 1


def test_what_is_not_named_refuses_nothing(planted: Bundle):
    assert lint(planted.root, "--backend", "tflite-gpu") == 0
    assert lint(planted.root, "--backend", "tflite-gpu", "--fail-on", "slow,partitions:2") == 0


def test_a_clean_head_passes_and_the_report_is_kept(clean: Bundle, capsys: pytest.CaptureFixture[str]):
    wanted = ("--backend", "onnx-cpu", "--fail-on", "fallback,partitions:1,known-wrong,slow")
    assert lint(clean.root, *wanted, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    kept = Bundle.open(clean.root).newest_report(LintReport)
    assert kept is not None
    assert shown == kept.model_dump()
    assert [row["partitions"] for row in shown["rows"]] == [1, 1]  # fp32, int8


def test_the_table_names_operators_and_sources(clean: Bundle, capsys: pytest.CaptureFixture[str]):
    assert lint(clean.root, "--backend", "onnx-web,onnx-nnapi") == 0
    shown = capsys.readouterr()
    assert "QuantizeLinear" in shown.out
    assert "webgpu-operators.md" in shown.err
    assert shown.err.strip().splitlines()[-1].startswith("next: pripro")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--backend", "onnx-gpu"), "onnx-web"),
        (("--backend", "tflite-gpu"), "no head for these backends"),
        (("--fail-on", "warnings"), "known-wrong"),
        (("--fail-on", "partitions:many"), "partitions:N"),
        (("--runtime", "onnxruntime"), "PACKAGE=VERSION"),
    ],
)
def test_bad_input_is_one_sentence(
    clean: Bundle, arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
):
    assert lint(clean.root, *arguments) == 2
    shown = capsys.readouterr()
    assert word in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("data", [b"", b"no model", b"\x00" * 4096])
def test_a_damaged_head_is_one_sentence(clean: Bundle, tmp_path: Path, data: bytes):
    bundle = parity_bundle.copy_of(clean, tmp_path / "damaged")
    parity_bundle.replace_file(bundle, "onnx", "fp32", data)
    assert lint(bundle.root, "--backend", "onnx-web") == 2
