"""What verify costs: seconds for a bundle's heads, and the peak of resident memory.

    python benchmarks/parity/cost.py BUNDLE             verify a bundle that is there
    python benchmarks/parity/cost.py --network resnet50 --cut layer1 --targets onnx,tflite
                                                        make one at 224 px first, from real photos

Verify runs in a process of its own; the peak is the kernel's for that process and the tail that it serves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PRIPRO = str(Path(sys.executable).with_name("pripro"))
_KIB = 1024 if sys.platform == "linux" else 1


def make(network: str, cut: str, targets: str, precisions: str, root: Path) -> Path:
    """A protected, converted and packaged bundle with random weights; its data are crops of real photos."""
    from photos import crops_as_files

    folder = root / "photos"
    classes = crops_as_files(folder, per_photo=8)
    bundle = root / "bundle"
    steps = (
        ("partition", network, "--cut", cut, "--input", "3x224x224", "--classes", classes, "-o", bundle),
        ("protect", bundle, "--method", "pripro", "--data", f"folder:{folder}", "--epochs", 1, "--batch-size", 8),
        ("convert", bundle, "--to", targets, "--precision", precisions),
        ("package", bundle, "--goldens-count", "16"),
    )
    for step in steps:
        subprocess.run([PRIPRO, *map(str, step)], check=True, stdout=subprocess.DEVNULL)
    return bundle


def cost(bundle: Path) -> dict[str, object]:
    """Run verify once; time and memory are those of its process and of the tail that it waits for."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        process = subprocess.Popen([PRIPRO, "verify", str(bundle), "--json"], stdout=out)
        _, _, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        out.seek(0)
        text = out.read()
    if not text:
        raise SystemExit(f"pripro verify {bundle} gave no report; it says above why")
    report = json.loads(text)
    return {
        "heads": sorted({f"{row['target']} {row['precision']}" for row in report["rows"]}),
        "passed": report["passed"],
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_bytes": used.ru_maxrss * _KIB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--network")
    parser.add_argument("--cut", default="layer1")
    parser.add_argument("--targets", default="onnx,tflite,executorch,coreml")
    parser.add_argument("--precisions", default="fp32")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.network is None:
            found = cost(chosen.bundle)
        else:
            bundle = make(chosen.network, chosen.cut, chosen.targets, chosen.precisions, Path(folder))
            found = cost(bundle)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
