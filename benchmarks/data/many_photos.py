"""What `pripro protect` takes for few and for many photos: memory, time, and whether parts stay.

    python benchmarks/data/many_photos.py 2000 200000 --out benchmarks/results/many_photos.json

Generates that many JPEG files of 224 px (200 pictures, each file with a tail of its own behind the picture, so that
all differ), protects resnet18@layer2 (--method) on each set in a process of its own, and compares peak
memory. The parts are compared after shuffling names and after adding 1,000 files.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDE, PICTURES, CLASSES = 224, 200, 10


def generate(folder: Path, count: int, first: int = 0) -> None:
    """Write files first .. first + count - 1, a tenth of them into each of ten class folders."""
    import io

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    pictures = []
    for _ in range(PICTURES):
        small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
        pictures.append(file.getvalue())
    for name in range(CLASSES):
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        path = folder / str(number % CLASSES) / f"{number:07}.jpg"
        path.write_bytes(pictures[number % PICTURES] + number.to_bytes(8, "big"))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def protect(folder: Path, bundle: Path, method: str) -> dict[str, float]:
    """In a process of its own: protect, and say what it took."""
    code = f"""
import json, resource, time
from pathlib import Path
from toolkit.bundle import Bundle
from toolkit.protect.fuse import protect
from toolkit.protect.settings import ProtectSettings
began = time.perf_counter()
settings = ProtectSettings(method={method!r}, data="folder:{folder}", anyway=True, epochs=1, train="injector")
protect(Bundle.open(Path({str(bundle)!r})), settings)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"seconds": time.perf_counter() - began, "peak_mb": used.ru_maxrss / 1024}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def parts(folder: Path) -> tuple[dict[bytes, int], float]:
    """Content hash -> part, of all photos, and the seconds of looking at them."""
    from toolkit.datasets._data import open_dataset
    from toolkit.datasets._division import divide
    from toolkit.datasets._index import index_of

    began = time.perf_counter()
    dataset = open_dataset(f"folder:{folder}")
    found = index_of(dataset, "x")
    seconds = time.perf_counter() - began
    numbers, _ = divide(found.digests, dataset.table.parts[found.photos], 0)
    return {digest.tobytes(): int(part) for digest, part in zip(found.digests, numbers, strict=True)}, seconds


def stable(folder: Path, count: int) -> dict[str, object]:
    before, seconds = parts(folder)
    names = list(folder.glob("*/*.jpg"))
    random.Random(2).shuffle(names)
    for number, path in enumerate(names):
        path.rename(path.with_name(f"shuffled-{number:07}.jpg"))
    generate(folder, 1000, first=count)
    after, _ = parts(folder)
    return {
        "photos": len(before),
        "photos_after": len(after),
        "moved": sum(after[key] != part for key, part in before.items()),
        "looked_at_per_second": len(before) / seconds,
        "peak_mb": peak_mb(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--method", default="gaussian", help="gaussian only measures; pripro trains, here one epoch")
    parser.add_argument("--only", choices=["protect", "parts"], help="one half; the other's figures in --out stay")
    wanted = parser.parse_args()
    from toolkit.partition.settings import PartitionSettings
    from toolkit.partition.start import start

    work = Path(tempfile.mkdtemp(prefix="many-photos-", dir=os.environ.get("TMPDIR")))
    try:
        rows = []
        for count in wanted.counts:
            folder, bundle = work / f"photos-{count}", work / f"bundle-{count}"
            if wanted.only == "parts":
                continue
            generate(folder, count)
            settings = {"source": "resnet18", "cut": "layer2", "classes": CLASSES}
            start(PartitionSettings(**settings, preprocess="torchvision:resnet18"), bundle)
            rows.append({"photos": count, "method": wanted.method} | protect(folder, bundle, wanted.method))
            print(rows[-1], flush=True)
        result: dict[str, object] = {}
        if wanted.out is not None and wanted.out.is_file():
            result = json.loads(wanted.out.read_text())
        if rows:
            others = [row for row in result.get("protect", []) if row.get("method", "gaussian") != wanted.method]
            result["protect"] = others + rows
        if wanted.only != "protect":
            if not folder.exists():
                generate(folder, count)
            result["parts"] = stable(folder, count)
            print(result["parts"], flush=True)
        if wanted.out is not None:
            from toolkit.records.machine import this_host
            from toolkit.records.tools import tool_versions

            result |= {"device": this_host().model_dump(), "tools": tool_versions("torch", "pillow", "loky")}
            wanted.out.write_text(json.dumps(result, indent=1) + "\n")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
