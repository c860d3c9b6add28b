"""From finished sweep cells to benchmarks/results/privacy.json, .md and .svg. Works on a partial sweep too.

python benchmarks/privacy/table.py benchmarks/privacy/sweep.toml build/privacy/sweep
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

from toolkit.sweep import as_rows, finished, list_cells, read_config
from toolkit.versions import tool_versions

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
            ("inverse_network", "reconstruction", "SSIM", "SSIM of reconstruction\n(lower is better)"),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("cells", type=Path)
    parser.add_argument("--name", default="privacy")
    arguments = parser.parse_args()
    config = read_config(arguments.config)
    results, wanted = finished(config, arguments.cells), list_cells(config)
    rows = as_rows(results)
    there = {cell.model_dump_json() for cell in (result.cell for result in results)}
    data = {
        "rows": rows,
        "complete": len(results) == len(wanted),
        "cells_finished": len(results),
        "cells_wanted": len(wanted),
        "missing": [
            f"{cell.network.name} {cell.cut} {cell.method} seed {cell.seed}"
            for cell in wanted
            if cell.model_dump_json() not in there
        ],
        "settings": config.model_dump(mode="json", exclude={"network"}),
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
    print(f"{len(results)} of {len(wanted)} cells, {len(rows)} rows")


if __name__ == "__main__":
    main()
