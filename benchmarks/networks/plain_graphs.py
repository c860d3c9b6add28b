"""Every small network of tests/plain_cases.py on every target, in full precision and int8: SQNR in dB or the refusal.

Run it before and after a change of converters/plain, then lay both out:

    python benchmarks/networks/plain_graphs.py --out after.json
    python benchmarks/networks/plain_graphs.py --table before.json after.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from converter_cases import eager, feed, sqnr_db  # noqa: E402
from plain_cases import Network, networks  # noqa: E402

from converters.base import ConverterError  # noqa: E402
from toolkit.convert.heads import converter  # noqa: E402

COLUMNS = tuple(f"{target}-{p}" for target in ("executorch", "tflite", "onnx") for p in ("fp32", "int8"))
COLUMNS = ("coreml-fp32", *COLUMNS)


def cell(network: Network, column: str) -> str:
    """One conversion: its SQNR and, where operators stay outside of the delegate, how many."""
    target, precision = column.rsplit("-", 1)
    made_by, head = converter(target), network.head()
    wanted = eager(head, feed(head))
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = made_by.convert(head, Path(folder), precision=precision, backend=made_by.backends[0])
            found = made_by.load(Path(folder) / made.entry).run(feed(head))
        except ConverterError as error:
            return f"refused: {error}"
    outside = (made.ops_total or 0) - (made.ops_delegated or 0)
    return f"{sqnr_db(wanted, found):.1f}" + (f" ({outside} outside)" if outside else "")


def table(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> str:
    """Lay two runs out side by side as Markdown; a cell that did not change is one figure."""
    rows = ["| network | " + " | ".join(COLUMNS) + " |", "|" + " --- |" * (len(COLUMNS) + 1)]
    for network in networks():
        old, new = (run.get(network.name, {}) for run in (before, after))
        cells = [_both(old.get(column), new.get(column)) for column in COLUMNS]
        rows.append(f"| {network.name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _both(old: str | None, new: str | None) -> str:
    first, second = (_short(one) for one in (old, new))
    return first if first == second else f"{first} -> {second}"


def _short(text: str | None) -> str:
    if text is None:
        return "?"
    return "refused" if text.startswith("refused") else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="parts of networks' names")
    parser.add_argument("--columns", nargs="*", default=COLUMNS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    arguments = parser.parse_args()
    if arguments.table:
        before, after = (json.loads(path.read_text()) for path in arguments.table)
        print(table(before, after))
        return
    found: dict[str, dict[str, str]] = {}
    for network in networks():
        if arguments.only and not any(part in network.name for part in arguments.only):
            continue
        found[network.name] = {column: cell(network, column) for column in arguments.columns}
        print(network.name, found[network.name], flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
