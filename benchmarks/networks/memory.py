"""The largest memory of each verb on many and on large features: the goal is 2 GB each.

    python benchmarks/networks/memory.py --photos DIR --out benchmarks/results/networks_memory.json

DIR holds some hundreds of photos; crops of them make the 4,000 that one case asks for. Two cases: PriPro behind a deep
and wide early cut with few photos, and Gaussian noise with many. Random weights cost the same memory as trained ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from end_to_end import WORK, ask
from PIL import Image

from toolkit.bundle import write_atomically
from toolkit.records.machine import this_host

#: name -> network, cut, photos, what `protect` is given
CASES = {
    "resnet50@layer1.1, pripro": ("resnet50", "layer1.1", 72, ["--epochs", "1"]),
    "resnet18@layer1, gaussian": ("resnet18", "layer1", 4000, ["--method", "gaussian"]),
}
PIXELS = 224


def crops(photos: Path, count: int, out: Path) -> Path:
    """Write `count` photos, each another crop; what is there already stays."""
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(file for file in photos.iterdir() if file.is_file())
    for number in range(count):
        made = out / f"{number:05}.jpg"
        if not made.is_file():
            by = 2 * (number // len(files))
            with Image.open(files[number % len(files)]) as photo:
                photo.convert("RGB").resize((PIXELS, PIXELS), box=(by, by, photo.width, photo.height)).save(made)
    return out


def measure(name: str, photos: Path) -> dict[str, object]:
    """Peak memory in MB and seconds of each verb of one case."""
    network, cut, count, options = CASES[name]
    root = WORK / f"memory-{network}"
    shutil.rmtree(root, ignore_errors=True)
    data = f"photos:{crops(photos, count, WORK / f'photos-{count}')}"
    verbs = {
        "partition": ["partition", network, "--input", f"3x{PIXELS}x{PIXELS}", "--cut", cut, "-o", str(root)],
        "protect": ["protect", str(root), "--data", data, *options],
        "convert": ["convert", str(root), "--to", "onnx"],
        "package": ["package", str(root)],
        "verify": ["verify", str(root)],
    }
    found = {verb: ask(*words) for verb, words in verbs.items()}
    for one in found.values():
        one.pop("told")
    return {"case": name, "photos": count, "verbs": found}


def main() -> int:
    parser = argparse.ArgumentParser(description="The largest memory of each verb.")
    parser.add_argument("names", nargs="*", help="some of the cases; all without")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    known = json.loads(wanted.out.read_text())["rows"] if wanted.out.is_file() else []
    for name in CASES:
        if (wanted.names and name not in wanted.names) or any(one["case"] == name for one in known):
            continue
        known.append(measure(name, wanted.photos))
        print(json.dumps(known[-1]), flush=True)
        stamped = {"rows": known, "device": this_host().model_dump()}
        write_atomically(wanted.out, (json.dumps(stamped, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
