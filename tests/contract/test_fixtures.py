"""Python's verdict on every fixture is the one that fixtures.json promises to the other languages."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from toolkit.bundle import parse_manifest
from toolkit.errors import BundleError
from toolkit.records.latency import LatencyReport
from toolkit.records.parity import DeviceParityReport

HERE = Path(__file__).parent
ENTRIES: list[dict[str, Any]] = json.loads((HERE / "fixtures.json").read_text(encoding="utf-8"))
REPORTS = {"latency": LatencyReport, "device-parity": DeviceParityReport}


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"contract_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


canonical = _load("canonical")


def of(kind: str, verdict: str) -> list[Any]:
    return [pytest.param(e, id=Path(e["file"]).name) for e in ENTRIES if e["kind"] == kind and e["verdict"] == verdict]


def test_the_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    _load("make_fixtures").main(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    kept = {p: (HERE / p).read_bytes() if (HERE / p).is_file() else None for p in made}
    assert made == kept
    rooms = {p.parts[0] for p in made if len(p.parts) > 1}
    present = {p.relative_to(HERE) for room in rooms for p in (HERE / room).rglob("*") if p.is_file()}
    assert present <= set(made), "files that no script writes and no list names"


@pytest.mark.parametrize("entry", of("manifest", "accept"))
def test_manifests_that_fit_are_read(entry: dict[str, Any]) -> None:
    manifest = parse_manifest((HERE / entry["file"]).read_bytes(), entry["file"])
    assert manifest.bundle_id == manifest.compute_id() == entry["bundle_id"]


@pytest.mark.parametrize("entry", of("manifest", "refuse"))
def test_manifests_that_do_not_fit_are_refused_by_name(entry: dict[str, Any]) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest((HERE / entry["file"]).read_bytes(), "manifest.json")
    for word in entry["mentions"]:
        assert word in str(caught.value)


@pytest.mark.parametrize("entry", [*of("latency", "accept"), *of("device-parity", "accept")])
def test_reports_are_canonical(entry: dict[str, Any]) -> None:
    data = (HERE / entry["file"]).read_bytes()
    report = REPORTS[entry["kind"]].model_validate_json(data)
    assert report.bundle_id == entry["bundle_id"]
    assert (canonical.dumps(report.model_dump()) + "\n").encode() == data


@pytest.mark.parametrize("entry", of("latency", "refuse"))
def test_reports_that_do_not_fit_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        REPORTS[entry["kind"]].model_validate_json((HERE / entry["file"]).read_bytes())
    for word in entry["mentions"]:
        assert word in str(caught.value)


@pytest.mark.parametrize("entry", of("safetensors", "accept"))
def test_golden_tensors_are_read(entry: dict[str, Any]) -> None:
    found = safetensors.load((HERE / entry["file"]).read_bytes())
    expected = {t["name"]: t for t in entry["tensors"]}
    assert set(found) == set(expected)
    for name, array in found.items():
        assert list(array.shape) == expected[name]["shape"]
        assert array.ravel().tolist() == expected[name]["values"]


# bfloat16 is legal in the format, so Python's reader takes it; the phones' readers do without
@pytest.mark.parametrize("entry", [p for p in of("safetensors", "refuse") if "wrong-dtype" not in str(p.id)])
def test_damaged_golden_tensors_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises((SafetensorError, ValueError, KeyError)):
        safetensors.load((HERE / entry["file"]).read_bytes())


def test_numbers_are_spelled_by_the_rules() -> None:
    rows = json.loads((HERE / "numbers.json").read_text())
    for row in rows:
        value = float(row["value"])
        assert canonical.number(value) == row["report"]
        assert json.dumps(value) == row["id"]
    assert {row["report"] for row in rows} >= {"0", "0.00001", "12.5", "1000000000000000"}
