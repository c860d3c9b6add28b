"""The cases of where features may go, which the phone libraries walk, say something."""

import json
from pathlib import Path

HERE = Path(__file__).parent / "phone"


def test_address_cases_have_both_verdicts() -> None:
    cases = json.loads((HERE / "addresses.json").read_text(encoding="utf-8"))
    assert {case["verdict"] for case in cases} == {"accept", "refuse"}
    assert len({(case["url"], *case["listed"]) for case in cases}) == len(cases)
