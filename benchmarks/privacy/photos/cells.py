"""Run the cells of benchmarks/privacy/photos.toml in their order, and gather every result into one file.

    python benchmarks/privacy/photos/cells.py [--minutes 60] [--cells 'resnet-layer3-*'] [--gather]

Kill it and start it again at will; --gather only writes benchmarks/results/photos.json from what is there.
"""

import argparse
import json
import platform
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import attack
import data
import protect
import torch

LIST = Path("benchmarks/privacy/photos.toml")
RESULT = Path("benchmarks/results/photos.json")


def wanted() -> list[tuple[str, dict[str, Any]]]:
    """Every cell's name and settings, in order."""
    listed = tomllib.loads(LIST.read_text())
    cells = []
    for row in listed["cells"]:
        cell = {**listed["options"], **row}
        place = listed["geometry"][cell["network"]][cell["cut"]]
        cell = {**listed["options"], **place, **listed["method"].get(cell["method"], {}), **row}
        if cell["method"] == "none":
            name = f"none:{cell['network']}:{cell['cut']}"
        else:
            name = "-".join([cell["network"], cell["cut"], cell["method"], cell["train"], str(cell["seed"])])
            name += "-swap" if cell.get("task", "class") != "class" else ""
        cells.append((row.get("name", name), cell))
    return cells


def file_of(name: str) -> Path:
    return data.ROOT / "cells" / f"{name.replace(':', '-')}.attack.json"


def run(name: str, cell: dict[str, Any]) -> None:
    if file_of(name).exists():
        return
    print("cell", name, time.strftime("%H:%M:%S"), flush=True)
    if cell["method"] != "none" and not (data.ROOT / "cells" / f"{name}.train.json").exists():
        protect.protect(cell, name)
    swap = cell.get("task", "class") != "class"
    result = attack.attack(name, task="attribute" if swap else "reconstruction")
    file_of(name).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k not in ("settings", "floors")}), flush=True)


def gather() -> None:
    rows = [json.loads(file_of(name).read_text()) for name, _ in wanted() if file_of(name).exists()]
    networks = {
        file.stem: json.loads(file.read_text()) for file in sorted(data.ROOT.glob("*.json")) if "-" not in file.stem
    }
    photos = {file.stem: json.loads(file.read_text()) for file in sorted(data.ROOT.glob("*-jpeg.json"))}
    machine = {"processor": platform.machine(), "cores": 1, "torch": torch.__version__, "precision": "bf16 autocast"}
    result = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "parts": data.PARTS, "networks": networks}
    result |= {"photo_itself": photos, "cells": rows}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1e9, help="start no cell after so many minutes")
    parser.add_argument("--gather", action="store_true")
    parser.add_argument("--cells", default="*", help="only those whose name matches, for two processes at once")
    arguments = parser.parse_args()
    begun = time.time()
    for name, cell in [] if arguments.gather else wanted():
        if fnmatch(name, arguments.cells) and time.time() - begun < 60 * arguments.minutes:
            run(name, cell)
    gather()


if __name__ == "__main__":
    main()
