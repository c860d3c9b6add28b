"""Lists, numbers and pairs as people type them: one that does not fit is one sentence, and none is silently dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.cli._options import names, numbers, pairs, whole_numbers
from toolkit.cli.main import app, guarded
from toolkit.errors import InputError
from toolkit.families import digits_resnet

pytestmark = pytest.mark.slow

NET = ["digits_resnet", "--input", "1x28x28", "--cut", "layer2"]


def pripro(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = guarded(lambda: app([str(word) for word in words]))
    told = capfd.readouterr()
    return code, told.out, told.err


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typed")
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    steps = (
        ["partition", *NET, "--weights", folder / "w.safetensors", "-o", folder / "bundle"],
        ["protect", folder / "bundle", "--method", "none"],
        ["convert", folder / "bundle", "--to", "onnx"],
        ["package", folder / "bundle", "--goldens-count", "1"],
    )
    for step in steps:
        assert guarded(lambda step=step: app([str(word) for word in step])) == 0
    return folder / "bundle"


def content(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refused(told: str, words: str) -> None:
    lines = [line for line in told.splitlines() if line.lower().startswith("error: ")]
    assert len(lines) == 1, told
    assert "Traceback" not in told
    assert words in lines[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        # dropped in silence, with exit code 0 and an empty table, or a traceback
        (["bench", *NET, "--seeds", "abc"], "--seeds 'abc'"),
        (["bench", *NET, "--seeds", ""], "--seeds ''"),
        (["bench", *NET, "--seeds", "0,-1"], "--seeds '0,-1'"),
        (["bench", *NET, "--seeds", "0,1.5"], "--seeds '0,1.5'"),
        (["bench", *NET, "--seeds", "²"], "--seeds '²'"),
        (["bench", *NET, "--seeds", "9" * 30], "--seeds '999"),
        (["bench", *NET, "--method", ""], "--method ''"),
        (["bench", *NET, "--method", "gaussian,,"], "--method 'gaussian,,'"),
        (["bench", *NET[:-1], ","], "--cut ','"),
        # a bundle whose photos become NaN, or all one grey
        (["partition", *NET, "-o", "OUT", "--mean", "nan"], "--mean 'nan'"),
        (["partition", *NET, "-o", "OUT", "--std", "inf"], "--std 'inf'"),
        (["partition", *NET, "-o", "OUT", "--mean", "0.5,,"], "--mean '0.5,,'"),
        (["partition", *NET, "-o", "OUT", "--resize", "shorter-side", "--shorter-side", "99999999"], "at most 10000"),
        # tracebacks
        (["cuts", "digits_resnet", "--input", "1x²x3"], "1x²x3"),
        (["cuts", "digits_resnet", "--input", "1x28x" + "9" * 5000], "does not fit"),
        (["cuts", "digits_resnet", "--input", "1x99999999x99999999"], "megapixels"),
        (["cuts", "digits_resnet", "--input", "1x28x28", "--classes", "999999999999"], "more memory"),
        # for ever, or infinite milliseconds
        (["plan", *NET[:3], "--phone-factor", "inf"], "--phone-factor"),
        (["plan", *NET[:3], "--compute-watts", "inf", "--radio-watts", "1"], "--compute-watts"),
        (["plan", *NET[:3], "--threads", "100000"], "--threads"),
    ],
)  # fmt: skip
def test_without_a_bundle(capfd, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    code, _, told = pripro(capfd, *words)
    assert code == 2
    refused(told, says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("convert", ["--to", ""], "--to ''"),
        ("convert", ["--to", "onnx,,"], "--to 'onnx,,'"),
        ("convert", ["--to", "onnx", "--precision", ""], "--precision ''"),
        ("verify", ["--to", ""], "--to ''"),
        ("lint", ["--backend", ","], "--backend ','"),
        ("lint", ["--fail-on", ""], "--fail-on ''"),
        ("lint", ["--runtime", "onnxruntime=abc"], "'abc' is no version"),
        ("lint", ["--runtime", "onnxruntim=1.0"], "onnxruntime"),
        ("lint", ["--runtime", "onnxruntime=1.0", "--runtime", "onnxruntime=2.0"], "twice, 1.0 and 2.0"),
        ("measure", ["--threads", "²"], "--threads '²'"),
        ("measure", ["--threads", "1,100000"], "--threads '1,100000'"),
        ("measure", ["--seconds", "inf"], "--seconds"),
        ("evaluate", ["--observations", ""], "--observations ''"),
        ("evaluate", ["--observations", "10,0"], "--observations '10,0'"),
        ("evaluate", ["--attack", ","], "--attack ','"),
        ("evaluate", ["--seed", "9" * 30], "seed: "),
        ("evaluate", ["--seed", "-1"], "seed: "),
        ("protect", ["--data", "digits", "--seed", "9" * 30], "seed: "),
        ("protect", ["--method", "gaussian", "--data", "digits", "--option", "scale=nan"], "scale of protection"),
        ("protect", ["--method", "gaussian", "--option", "scale=1", "--option", "scale=2"], "twice, 1 and 2"),
        ("protect", ["--data", "digits", "--anyway", "--train", "waist", "--channels", "100000"], "--channels 100000"),
        ("package", ["--seed", "9" * 30], "seed: "),
    ],
)  # fmt: skip
def test_with_a_bundle(capfd, bundle, verb, words, says):
    before = content(bundle)
    code, _, told = pripro(capfd, verb, bundle, *words)
    assert code == 2
    refused(told, says)
    assert content(bundle) == before


@pytest.mark.parametrize(
    ("verb", "words", "says"),
    [
        ("verify", ["--explain", "onnx", "--tail", "http://127.0.0.1:1"], "--explain has no use for --tail"),
        ("verify", ["--explain", "onnx", "--arm64", "--to", "onnx"], "--to and --arm64"),
        ("verify", ["--device-report", "x.json", "--tflite-compat", "2.14"], "--tflite-compat"),
        ("measure", ["--runner", "benchmark_model"], "--runner is for a phone"),
        ("measure", ["--device", "adb", "--unprotected", "--profile"], "--unprotected and --profile"),
        ("measure", ["--device-report", "x.json", "--device", "adb"], "--device-report has no use for --device"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(capfd, bundle, verb, words, says):
    code, _, told = pripro(capfd, verb, bundle, *words)
    assert code == 2
    refused(told, says)


def test_what_is_named_twice_is_done_once(capfd, bundle):
    code, told, _ = pripro(capfd, "convert", bundle, "--to", "onnx,onnx", "--precision", "fp32, fp32", "--json")
    assert code == 0
    assert [head["target"] for head in json.loads(told)["heads"]] == ["onnx"]
    Bundle.open(bundle).check_files()


@pytest.mark.parametrize("words", [["--rate", "nan"], ["--drain-seconds", "-1"], ["--grpc-port", "70000"]])
def test_a_server_that_cannot_be(capfd, bundle, words):
    code, _, told = pripro(capfd, "serve", bundle, "--", *words)
    assert code == 2
    refused(told, words[0])


def test_lists_keep_their_order_and_each_thing_once():
    assert names("b, a,b", "--x") == ["b", "a"]
    assert whole_numbers("2,1, 2", "--x", 0, 9) == [2, 1]
    assert numbers("0.5,1e-1", "--x") == [0.5, 0.1]
    assert numbers(None, "--x") is None
    assert pairs(["a=1", "b=x=y"], "--x", "A=B", "a=1") == {"a": "1", "b": "x=y"}
    for wrong in ("=1", "a", "a="):
        with pytest.raises(InputError, match="A=B, such as a=1"):
            pairs([wrong], "--x", "A=B", "a=1")
