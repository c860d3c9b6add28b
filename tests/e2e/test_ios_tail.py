"""End to end without a phone: a head's features, whoever computed them, go through SplitKit to the served tail."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ios_tools import build, run
from require import require
from safetensors.numpy import load_file, save_file
from tail_tools import TailServer

from toolkit.bundle import Bundle
from toolkit.emulated import arm64
from toolkit.package.limits import largest_difference
from toolkit.records.parity import DeviceParityReport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bundle(demo_bundle: Path) -> Bundle:
    return Bundle.open(demo_bundle)


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> dict[str, Any]:
    golden = bundle.manifest.golden
    assert golden is not None
    return load_file(bundle.path(golden.inputs)) | load_file(bundle.path(golden.expected))


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TailServer]:
    assert bundle.manifest.tail is not None
    with TailServer(tmp_path_factory.mktemp("tail"), bundle.path(bundle.manifest.tail.archive)) as server:
        yield server


@pytest.fixture(scope="module")
def parity() -> Path:
    return build() / "splitkit-parity"


def write_features(bundle: Bundle, smashed: np.ndarray, target: str, runtime: str, out: Path) -> Path:
    """Write what `splitkit-parity --smashed` reads."""
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == (target, "fp32"))
    about = {"bundle_id": bundle.manifest.bundle_id, "runtime": runtime}
    about |= {"target": head.target, "precision": head.precision, "backend": head.backend}
    save_file({"smashed": np.ascontiguousarray(smashed, np.float32)}, out, metadata=about)
    return out


def replay(parity: Path, bundle: Bundle, out: Path, *options: str | Path) -> DeviceParityReport:
    done = run(parity, bundle.root, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    assert done.stderr.splitlines()[-1].startswith("next: pripro verify")
    return DeviceParityReport.model_validate_json(out.read_bytes())


def check(report: DeviceParityReport, bundle: Bundle, rows: dict[str, Any], count: int) -> None:
    assert bundle.manifest.golden is not None
    assert report.bundle_id == bundle.manifest.bundle_id
    assert [output.index for output in report.outputs] == list(range(count))
    got, wanted = np.array([output.logits for output in report.outputs]), rows["logits"][:count]
    assert (got.argmax(1) == wanted.argmax(1)).all()
    limit = largest_difference(bundle.manifest.golden.tolerances["fp32"], rows["logits"])
    np.testing.assert_allclose(got, wanted, atol=limit, rtol=0)


def test_the_onnx_heads_features_get_the_golden_answers(
    parity: Path, bundle: Bundle, rows: dict[str, Any], server: TailServer, tmp_path: Path
) -> None:
    import onnxruntime

    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == ("onnx", "fp32"))
    session = onnxruntime.InferenceSession(bundle.root / head.entry, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in head.inputs]
    n = len(rows["image"])
    smashed = np.concatenate([session.run(None, {name: rows[name][i : i + 1] for name in names})[0] for i in range(n)])
    file = write_features(bundle, smashed, "onnx", f"onnxruntime {onnxruntime.__version__}", tmp_path / "f.safetensors")
    out = tmp_path / "report.json"
    check(replay(parity, bundle, out, "--tail", server.url, "--smashed", file), bundle, rows, n)
    # and the verdict of the toolkit itself
    verify = "from toolkit.cli.main import main; main()"
    done = run(sys.executable, "-c", verify, "verify", bundle.root, "--device-report", out, "--json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads(done.stdout)["passed"] is True


def test_a_phones_instruction_set_gets_the_golden_answers(
    parity: Path, bundle: Bundle, rows: dict[str, Any], server: TailServer, tmp_path: Path
) -> None:
    """The bundle's own .pte on ARM64 kernels under qemu, then SplitKit, then the served tail."""
    lack = arm64.missing()
    require(lack is None, str(lack), "the command above")
    root, count = arm64.prepare(), 5
    head = next(h for h in bundle.manifest.heads if (h.target, h.precision) == ("executorch", "fp32"))
    names = [tensor.name for tensor in head.inputs]
    feeds = [{name: rows[name][i : i + 1] for name in names} for i in range(count)]
    smashed = np.concatenate(
        [arm64.run_head("executorch", bundle.root / head.entry, feed, root=root) for feed in feeds]
    )
    file = write_features(bundle, smashed, "executorch", "ExecuTorch on ARM64, emulated", tmp_path / "f.safetensors")
    options = ("--tail", server.url, "--smashed", file, "--rows", str(count))
    check(replay(parity, bundle, tmp_path / "report.json", *options), bundle, rows, count)


def test_offline_the_report_has_no_logits(parity: Path, bundle: Bundle, rows: dict[str, Any], tmp_path: Path) -> None:
    file = write_features(bundle, rows["smashed"], "onnx", "eager torch", tmp_path / "f.safetensors")
    report = replay(parity, bundle, tmp_path / "report.json", "--smashed", file)
    assert {output.logits is None for output in report.outputs} == {True}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--smashed", "/nonexistent.safetensors"], ["cannot be read"]),
        ([], ["--smashed"]),
        (["--encoding", "int4", "--smashed", "x"], ["int4", "float16"]),
        (["--colour", "red"], ["--colour", "--help"]),
        (["--tail"], ["--tail", "value"]),
        (["--tail", "nowhere"], ["nowhere", "http://"]),
    ],
)
def test_bad_options_are_one_sentence(
    parity: Path, bundle: Bundle, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    out = tmp_path / "report.json"
    done = run(parity, bundle.root, *([] if options == ["--tail"] else ["--out", out]), *options)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr
    assert not out.exists()


def test_another_bundles_tail_is_named(
    parity: Path, bundle: Bundle, rows: dict[str, Any], server: TailServer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    manifest = json.loads((bundle.root / "manifest.json").read_bytes())
    manifest["labels"] = [f"other {label}" for label in manifest["labels"]]
    changed = Bundle.open(bundle.root).manifest.model_validate(manifest).with_id()
    for ref in (changed.golden.inputs, changed.golden.expected) if changed.golden else ():
        (other / ref.path).parent.mkdir(parents=True, exist_ok=True)
        (other / ref.path).write_bytes((bundle.root / ref.path).read_bytes())
    (other / "manifest.json").write_text(changed.model_dump_json(indent=2))
    opened = Bundle.open(other)
    file = write_features(opened, rows["smashed"], "onnx", "eager torch", tmp_path / "f.safetensors")
    done = run(parity, other, "--out", tmp_path / "r.json", "--tail", server.url, "--smashed", file)
    assert done.returncode == 2
    assert changed.bundle_id[:12] in done.stderr
    assert bundle.manifest.bundle_id[:12] in done.stderr
