"""The published schemas are what the classes say, and the reports of other tools are checked against them."""

import json
from pathlib import Path

import jsonschema
import pytest

from toolkit.bundle import Bundle, parse_manifest
from toolkit.errors import InputError
from toolkit.measure.device_report import read_device_report
from toolkit.records import schemas

CONTRACT = Path(__file__).parents[1] / "contract"
LATENCY = CONTRACT / "reports" / "latency.json"


def fixtures(kind: str) -> list[dict]:
    return [entry for entry in json.loads((CONTRACT / "fixtures.json").read_text()) if entry["kind"] == kind]


@pytest.mark.parametrize("name", sorted(schemas.models()))
def test_schema_files_are_current(name: str) -> None:
    written = (schemas.FOLDER / name).read_text()
    assert written == schemas.schema_text(schemas.models()[name]), "run: python -m toolkit.records.schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(written))


def test_nothing_else_lies_among_the_schemas() -> None:
    assert {path.name for path in schemas.FOLDER.glob("*.json")} == set(schemas.models())


@pytest.mark.parametrize("entry", fixtures("latency"), ids=lambda entry: entry["file"])
def test_contract_reports_are_judged_by_the_schema(entry: dict) -> None:
    schema = json.loads((schemas.FOLDER / "latency.schema.json").read_text())
    valid = jsonschema.Draft202012Validator(schema).is_valid(json.loads((CONTRACT / entry["file"]).read_text()))
    assert valid == (entry["verdict"] == "accept")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle whose id is the one that the contract's latency report carries."""
    entry = next(item for item in fixtures("manifest") if item["verdict"] == "accept")
    manifest = parse_manifest((CONTRACT / entry["file"]).read_bytes(), entry["file"])
    return Bundle(tmp_path, manifest)


def write(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps(json.loads(LATENCY.read_text()) | changes))
    return path


def test_a_phone_report_of_this_bundle_is_taken(bundle: Bundle, tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", bundle_id=bundle.manifest.bundle_id)
    assert read_device_report(path, bundle).rows[0].n >= 1


def test_a_report_of_another_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", bundle_id="ab" * 32)
    with pytest.raises(InputError, match="belongs to the bundle abababababab"):
        read_device_report(path, bundle)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "schema_version 2, this pripro reads 1"),
        ({"surprise": 1}, "surprise"),
        ({"rows": [{}]}, "rows"),
        ({"kind": "parity"}, "kind"),
    ],
)
def test_reports_that_do_not_fit_say_where(bundle: Bundle, tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_device_report(write(tmp_path / "r.json", bundle_id=bundle.manifest.bundle_id, **changes), bundle)


def test_files_that_are_no_report_at_all(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_device_report(tmp_path / "none.json", bundle)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not JSON"):
        read_device_report(tmp_path / "deep.json", bundle)
    (tmp_path / "bin.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not JSON"):
        read_device_report(tmp_path / "bin.json", bundle)
