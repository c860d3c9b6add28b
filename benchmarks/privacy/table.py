"""From finished sweep cells to benchmarks/results/privacy.json, .md and .svg. Works on a partial sweep too.

    python benchmarks/privacy/table.py benchmarks/privacy/sweep.toml build/privacy/sweep

With --keep, cells that are not finished here keep the rows that an earlier run left in the result file.
"""

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
from markdown import full_table, summary

mpl.use("svg")
import matplotlib.pyplot as plt

from toolkit.evaluate.sweep import as_rows, finished, list_cells, read_config
from toolkit.records.tools import tool_versions

RESULTS = Path(__file__).parents[1] / "results"
# Okabe-Ito, and a mark each
STYLE = {
    "pripro": ("#d55e00", "*"), "gaussian": ("#0072b2", "o"), "laplace": ("#56b4e9", "v"), "dropout": ("#009e73", "s"),
    "shredder": ("#e69f00", "D"), "cloak": ("#cc79a7", "^"), "cem": ("#000000", "P"), "nopeek": ("#777777", "X"),
    "adversarial": ("#7a5195", "h"),
}  # fmt: skip


def pick(rows: list[dict], **wanted: object) -> list[dict]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def plot(rows: list[dict], path: Path) -> None:
    places = list(dict.fromkeys((row["network"], row["cut"]) for row in rows))
    figure, axes = plt.subplots(2, 1, figsize=(9, 6.4), sharex=True, layout="constrained")
    methods = [method for method in STYLE if pick(rows, method=method)]
    for axis, (attack, task, key, text) in zip(
        axes,
        (
            ("attribute", "slant", "PI_mean", "PI of attribute inference\n(1 = attacker at chance)"),
            ("residual_decoder", "reconstruction", "SSIM", "SSIM of reconstruction\n(lower is better)"),
        ),
        strict=True,
    ):
        for index, method in enumerate(methods):
            found = [
                (number + (index - len(methods) / 2) * 0.07, row[key])
                for number, (network, cut) in enumerate(places)
                for row in pick(rows, network=network, cut=cut, method=method, attack=attack, task=task, observations=1)
                if row[key] is not None
            ]
            if found:
                colour, mark = STYLE[method]
                size = 110 if method == "pripro" else 42
                axis.scatter(*zip(*found, strict=True), c=colour, marker=mark, s=size, label=method, zorder=3)
        if key == "SSIM":
            for number, (network, cut) in enumerate(places):
                for row in pick(rows, network=network, cut=cut, method="none", attack=attack):
                    axis.plot([number - 0.35, number + 0.35], [row[key]] * 2, color="#999999", lw=2)
        axis.set_ylabel(text)
        axis.grid(axis="y", color="#dddddd")
    axes[0].set_ylim(-0.03, 1)
    axes[0].legend(ncols=5, fontsize=8, loc="upper left")
    axes[1].set_xticks(range(len(places)), [f"{network}\n{cut}" for network, cut in places], fontsize=8)
    axes[1].set_xlabel("at the largest strength with PA >= 0.99 on the victim's validation images; gray: unprotected")
    figure.savefig(path, metadata={"Date": None})


Cell = tuple[str, str, str, int]


def cell_of(row: dict) -> Cell:
    return row["network"], row["cut"], row["method"], row["seed"]


def earlier(path: Path, settings: dict) -> list[dict]:
    """Rows of the result file, if the same settings gave them."""
    if not path.exists():
        return []
    told = json.loads(path.read_text())
    if told["settings"] != settings:
        raise SystemExit(f"{path.name} was made with other settings; leave --keep out.")
    return told["rows"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--name", default="privacy")
    parser.add_argument("--keep", action="store_true", help="keep the result file's rows of cells not finished here")
    arguments = parser.parse_args()
    config = read_config(arguments.config)
    # a method at several strengths is one entry: its rows are kept or replaced together
    wanted = list(dict.fromkeys((cell.network.name, cell.cut, cell.method, cell.seed) for cell in list_cells(config)))
    settings = config.model_dump(mode="json", exclude={"network"})
    rows = as_rows(finished(config, arguments.cells))
    if arguments.keep:
        here = {cell_of(row) for row in rows}
        rows += [row for row in earlier(RESULTS / f"{arguments.name}.json", settings) if cell_of(row) not in here]
        rows.sort(key=lambda row: wanted.index(cell_of(row)))
    there = {cell_of(row) for row in rows}
    data = {
        "rows": rows,
        "complete": there == set(wanted),
        "cells_finished": len(there),
        "cells_wanted": len(wanted),
        "missing": ["{} {} {} seed {}".format(*cell) for cell in wanted if cell not in there],
        "settings": settings,
        "command": f"pripro sweep {arguments.config} --out {arguments.cells}",
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "os": platform.platform(),
        },
        "versions": tool_versions("torch", "scikit-image", "mlxtend"),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{arguments.name}.json").write_text(json.dumps(data, indent=1) + "\n")
    plot(rows, RESULTS / f"{arguments.name}.svg")
    (RESULTS / f"{arguments.name}.md").write_text(full_table(data))
    print(summary(rows))
    print(f"{len(there)} of {len(wanted)} cells, {len(rows)} rows")


if __name__ == "__main__":
    main()
