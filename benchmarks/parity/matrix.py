"""Families x cuts x targets x precisions: is each converted head eager torch's?

    python benchmarks/parity/matrix.py             every cell that is not done yet, then the table
    python benchmarks/parity/matrix.py --table     the table only, of the cells that are done
    python benchmarks/parity/matrix.py --explain   failed cells once more, down to the operator; with --again also
                                                   those that are explained

--family, --target and --precision choose some.

A cell is one JSON file in build/parity/, so an interrupted run goes on where it stopped. The table is
benchmarks/results/parity.md, its data parity.json beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heads import Case

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = Path(os.environ.get("PRIPRO_PARITY_WORK", ROOT / "build" / "parity"))
TARGETS = {  # cheap conversions first
    "onnx": ("fp32", "int8"),
    "coreml": ("fp32", "fp16", "w8"),
    "tflite": ("fp32", "fp16", "int8"),
    "executorch": ("fp32", "int8"),
}


def cell_file(family: str, cut: str, target: str, precision: str) -> Path:
    return WORK / "cells" / f"{family}@{cut}@{target}@{precision}.json"


def missing(family: str, cut: str) -> list[tuple[str, str]]:
    pairs = [(target, precision) for target, kinds in TARGETS.items() for precision in kinds]
    return [pair for pair in pairs if not cell_file(family, cut, *pair).exists()]


def unexplained(family: str, cut: str, *, again: bool) -> list[tuple[str, str]]:
    pairs = [(target, precision) for target, kinds in TARGETS.items() for precision in kinds]
    cells = {pair: cell_file(family, cut, *pair) for pair in pairs}
    done = {pair: json.loads(path.read_text()) for pair, path in cells.items() if path.exists()}
    return [pair for pair, cell in done.items() if not cell["passed"] and (again or "explained" not in cell)]


def run_group(family: str, cut: str, *, explain: bool, again: bool) -> None:
    """Every cell of one head, in this process."""
    import torch
    from heads import make

    torch.set_num_threads(1)
    todo = unexplained(family, cut, again=again) if explain else missing(family, cut)
    if not todo:
        return
    case = make(family, cut, WORK)
    for target, precision in todo:
        record = {"family": family, "cut": cut, "target": target, "precision": precision, "weights": case.weights}
        record["date"] = datetime.now(UTC).date().isoformat()
        path = cell_file(family, cut, target, precision)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record | run_cell(case, target, precision, explain=explain), indent=1))
        sys.stderr.write(f"{path.stem}\n")


def run_cell(case: Case, target: str, precision: str, *, explain: bool = False) -> dict[str, Any]:
    from converters.base import ConverterError
    from toolkit.convert.heads import converter
    from toolkit.package.cases import PHOTO
    from toolkit.package.limits import TOLERANCES
    from toolkit.verify.diagnose import diagnose
    from toolkit.verify.explain import explain_head
    from toolkit.verify.numeric import numeric_rows
    from toolkit.verify.privacy import noise_row
    from toolkit.verify.rows import EVALUATOR, Subject

    made_by = converter(target)
    backend = made_by.backends[0]
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        try:
            conversion = made_by.convert(case.program, Path(folder), precision=precision, backend=backend)
        except ConverterError as error:
            return {"error": str(error), "passed": False}
        seconds = time.monotonic() - start
        runner = made_by.load(Path(folder) / conversion.entry)
        goldens = case.goldens
        got = goldens.replay(runner.run)
        runtime = target if runner.is_real_runtime else EVALUATOR
        subject = Subject(target, precision, backend, runtime)
        rows = [
            *numeric_rows(subject, goldens, got, TOLERANCES, lambda: diagnose(runner.run, goldens, got)),
            noise_row(subject, goldens, got),
        ]
        made = {
            "rows": [row.model_dump() for row in rows],
            "passed": all(row.passed for row in rows),
            "seconds": round(seconds, 1),
            "tools": dict(conversion.tools),
        }
        if explain and not made["passed"]:
            entry = Path(folder) / conversion.entry
            found = explain_head(case.program, target, precision, backend, entry, goldens)
            made["explained"] = found.first if found.row == PHOTO else f"On {found.row}, {found.first}"
        return made


def run_all(families: list[str], *, explain: bool, again: bool) -> None:
    from heads import CUTS

    flags = [name for name, on in (("--explain", explain), ("--again", again)) if on]
    options = [*flags, *(word for name in TARGETS for word in ("--target", name))]
    options += [word for kind in sorted(set().union(*TARGETS.values())) for word in ("--precision", kind)]
    for position in (1, 0):  # middle cuts first: a table that ends early still has every family
        for family in families or CUTS:
            cut = CUTS[family][position]
            if unexplained(family, cut, again=again) if explain else missing(family, cut):
                command = [sys.executable, __file__, "--group", family, cut, *options]
                subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", nargs=2, metavar=("FAMILY", "CUT"))
    parser.add_argument("--family", action="append", default=[])
    parser.add_argument("--target", action="append", choices=TARGETS, help="only these")
    parser.add_argument("--precision", action="append", help="only these")
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    chosen = parser.parse_args()
    for name in set(TARGETS) - set(chosen.target or TARGETS):
        del TARGETS[name]
    for name, kinds in TARGETS.items():
        TARGETS[name] = tuple(kind for kind in kinds if kind in (chosen.precision or kinds))
    if chosen.group:
        run_group(*chosen.group, explain=chosen.explain, again=chosen.again)
    else:
        if not chosen.table:
            run_all(chosen.family, explain=chosen.explain, again=chosen.again)
        from table import write_table

        write_table(WORK / "cells", ROOT / "benchmarks" / "results")
