"""What phones must read of an answer is what toolkit/tasks reads of it."""

import importlib.util
import json
from pathlib import Path

from toolkit import plugins, tasks

HERE = Path(__file__).parent / "answers"


def test_the_cases_are_those_of_the_tasks() -> None:
    spec = importlib.util.spec_from_file_location("answers_generate", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    cases = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    assert cases == json.loads(json.dumps(generate.cases()))
    assert {case["task"] for case in cases} == set(plugins.names(tasks))
