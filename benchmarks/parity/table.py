"""The cells of the matrix as one table and one data file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stamp import stamp

COLUMNS = (
    *(("executorch", "fp32"), ("executorch", "int8"), ("tflite", "fp32"), ("tflite", "fp16"), ("tflite", "int8")),
    *(("onnx", "fp32"), ("onnx", "int8"), ("coreml", "fp32"), ("coreml", "fp16"), ("coreml", "w8")),
)
_ABOUT = """# Numeric parity on real photos

Each cell: a protected head (family, cut) converted to a format and run on its real runtime on this host, compared
with eager torch on 4 photos that scikit-learn and scikit-image ship (12 test digits for the trained network) with
fixed eps. Core ML's files run in this project's reference evaluator, which is not Core ML. fp32 cells give the
largest absolute difference, the others SQNR in dB. `!` marks a cell that fails verify; below the table it says why.

No trained ImageNet weights can be had without a download: the torchvision families have **random weights** (seeded),
batch norm's statistics measured on other photos, and an injector as it is when training begins. Only `digits_resnet`
is a trained network with a trained injector. int8 is calibrated on 28 images that are not compared (64 digits).
Made by `python benchmarks/parity/matrix.py`, one JSON file per cell; a blank cell has not been run.
"""


def write_table(cells: Path, out: Path) -> None:
    """Read every finished cell; write parity.json and parity.md."""
    found = [json.loads(path.read_text()) for path in sorted(cells.glob("*.json"))]
    out.mkdir(parents=True, exist_ok=True)
    tools = sorted({f"{name} {version}" for cell in found for name, version in cell.get("tools", {}).items()})
    dates = sorted({cell["date"] for cell in found})
    data = stamp() | {"date": " to ".join(dict.fromkeys((dates[0], dates[-1]))), "tools": tools, "cells": found}
    (out / "parity.json").write_text(json.dumps(data, indent=1) + "\n")
    (out / "parity.md").write_text(_markdown(found, tools, f"{data['machine']}, {data['date']}"))
    failed = sum(not cell["passed"] for cell in found)
    print(f"{len(found)} cells, {failed} failed; {out / 'parity.md'}")


def _markdown(cells: list[dict[str, Any]], tools: list[str], made: str) -> str:
    by_key = {(c["family"], c["cut"], c["target"], c["precision"]): c for c in cells}
    heads = list(dict.fromkeys((c["family"], c["cut"]) for c in cells))
    lines = [_ABOUT, "| head | " + " | ".join(f"{t} {p}" for t, p in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for family, cut in heads:
        shown = [_cell(by_key.get((family, cut, *column))) for column in COLUMNS]
        lines.append(f"| {family} {cut} | " + " | ".join(shown) + " |")
    failures = [_failure(cell) for cell in cells if not cell["passed"]]
    lines += ["", *(failures or ["Every cell that was run passes."])]
    lines += ["", "Versions: " + ", ".join(tools) + ".", "", f"Machine: {made}."]
    return "\n".join(lines) + "\n"


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    mark = "" if cell["passed"] else " !"
    if "error" in cell:
        return "error !"
    row = cell["rows"][0]
    if cell["precision"] == "fp32":
        return ("not finite" if row["max_abs"] is None else f"{row['max_abs']:.1e}") + mark
    return ("same" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f}") + mark


def _failure(cell: dict[str, Any]) -> str:
    name = f"- {cell['family']} {cell['cut']} {cell['target']} {cell['precision']}: "
    if "error" in cell:
        return name + cell["error"]
    failed = [f"{row['where']}: {row['note'] or row['tolerance']}" for row in cell["rows"] if not row["passed"]]
    explained = cell.get("explained")
    return name + "; ".join(failed) + ("" if explained is None else f". {explained}")
