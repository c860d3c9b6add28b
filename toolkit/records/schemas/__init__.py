"""JSON Schemas of everything that other programs read or write, made by `python -m toolkit.records.schemas`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from pydantic import BaseModel

from .. import latency, parity
from ..bundle import Manifest, Report
from ..lint import LintReport
from ..plan import PlanReport
from ..privacy import PrivacyReport

FOLDER = Path(__file__).parent


def models() -> dict[str, type[BaseModel]]:
    """File name -> the class that it describes: the bundle's manifest and every kind of report."""
    kinds: list[type[Report]] = [
        value
        for value in (*vars(parity).values(), *vars(latency).values())
        if inspect.isclass(value) and issubclass(value, Report) and value is not Report
    ]
    kinds += [LintReport, PlanReport, PrivacyReport]
    found: dict[str, type[BaseModel]] = {"bundle.schema.json": Manifest}
    for kind in kinds:
        found[f"{kind.model_fields['kind'].default}.schema.json"] = kind
    return found


def schema_text(model: type[BaseModel]) -> str:
    """Return the schema of one class as the text that its file holds."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def write_all(folder: Path = FOLDER) -> list[Path]:
    """Write every schema file and return the paths."""
    paths = []
    for name, model in models().items():
        path = folder / name
        path.write_text(schema_text(model))
        paths.append(path)
    return paths
