"""Every small network of tests/plain_cases.py on every target, in full precision and int8: SQNR in dB or the refusal.

    python benchmarks/networks/plain_graphs.py                       # all of them, half an hour
    python benchmarks/networks/plain_graphs.py --only attention     # some of them
    python benchmarks/networks/plain_graphs.py --table              # what was measured, as plain_graphs.md has it

Figures are entered into results/plain_graphs.json under "after"; "before" are those of converters without
converters/plain, as far as they were measured then.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from converter_cases import eager, feed, sqnr_db  # noqa: E402
from plain_cases import Network, networks  # noqa: E402

from converters.base import ConverterError  # noqa: E402
from toolkit.convert.heads import converter  # noqa: E402

RESULTS = ROOT / "benchmarks/results/plain_graphs.json"
COLUMNS = tuple(f"{target}-{p}" for target in ("executorch", "tflite", "onnx") for p in ("fp32", "int8"))
COLUMNS = ("executorch-fp32", "executorch-int8", "coreml-fp32", *COLUMNS[2:])
#: SQNR above which nothing but the last bits differs, and what measuring twice may differ by
EXACT, SAME = 200.0, 1.5
#: network -> column -> figure or refusal
Cells: TypeAlias = dict[str, dict[str, str]]


def cell(name: str, column: str) -> str:
    """One conversion: its SQNR and, where operators stay outside of the delegate, how many."""
    target, precision = column.rsplit("-", 1)
    made_by, head = converter(target), Network(name).head()
    wanted = eager(head, feed(head))
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = made_by.convert(head, Path(folder), precision=precision, backend=made_by.backends[0])
        except ConverterError as error:
            return f"refused: {error}"
        try:
            found = made_by.load(Path(folder) / made.entry).run(feed(head))
        except ConverterError as error:
            return f"fails: {error}"
    outside = (made.ops_total or 0) - (made.ops_delegated or 0)
    return f"{sqnr_db(wanted, found):.1f}" + (f" ({outside} outside)" if outside else "")


class Apart:
    """A process beside this one: a runtime that ends it is a cell that fails."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._start()

    def _start(self) -> None:
        self._open.close()
        self._pool = self._open.enter_context(ProcessPoolExecutor(1, get_context("spawn")))

    def cell(self, name: str, column: str) -> str:
        """See `cell`."""
        try:
            return self._pool.submit(cell, name, column).result()
        except BrokenProcessPool:
            self._start()
            return "fails: the process ended"


def table(before: Cells, after: Cells) -> str:
    """Lay both out side by side as Markdown; a cell that did not change, or was measured once, is one figure."""
    rows = ["| network | " + " | ".join(COLUMNS) + " |", "|" + " --- |" * (len(COLUMNS) + 1)]
    for network in networks():
        old, new = (run.get(network.name, {}) for run in (before, after))
        cells = [_both(old.get(column), new.get(column)) for column in COLUMNS]
        rows.append(f"| {network.name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _both(old: str | None, new: str | None) -> str:
    if old is None or new is None:
        return _short(new or old)
    numbers = _number(old), _number(new)
    if None not in numbers:
        close = abs(numbers[0] - numbers[1]) <= SAME or min(numbers) >= EXACT
        return _short(new) if close else f"{_short(old)} -> **{_short(new)}**"
    return _short(new) if _short(old) == _short(new) else f"{_short(old)} -> **{_short(new)}**"


def _number(text: str) -> float | None:
    if text == "exact":
        return EXACT
    try:
        return float(text.split(" ")[0])
    except ValueError:
        return None


def _short(text: str | None) -> str:
    number = None if text is None else _number(text)
    if text is None or number is None:
        return "?" if text is None else text.split(":")[0]
    return "exact" if number >= EXACT else f"{number:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="parts of networks' names")
    parser.add_argument("--columns", nargs="*", default=COLUMNS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    found: dict[str, Cells] = {"before": {}, "after": {}}
    if arguments.results.exists():
        found = json.loads(arguments.results.read_text())
    chosen = [one for one in networks() if not arguments.only or any(part in one.name for part in arguments.only)]
    apart = None if arguments.table else Apart()
    for network in chosen if apart else []:
        row = found["after"].setdefault(network.name, {})
        for column in arguments.columns:
            row[column] = apart.cell(network.name, column)
            print(network.name, column, row[column], flush=True)
            arguments.results.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found["before"], found["after"]))


if __name__ == "__main__":
    main()
