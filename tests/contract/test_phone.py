"""The phone libraries' fixtures are what Pillow and the toolkit say, and the address cases say something."""

import importlib.util
import json
from pathlib import Path

HERE = Path(__file__).parent / "phone"


def test_the_files_are_what_the_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("contract_phone", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file, make in module.FILES.items():
        assert (HERE / file).read_text(encoding="utf-8") == module.text(make()), file


def test_address_cases_have_both_verdicts() -> None:
    cases = json.loads((HERE / "addresses.json").read_text(encoding="utf-8"))
    assert {case["verdict"] for case in cases} == {"accept", "refuse"}
    assert len({(case["url"], *case["listed"]) for case in cases}) == len(cases)
