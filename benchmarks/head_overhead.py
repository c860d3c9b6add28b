"""What the protection costs on the phone: a protected head against the same head without, ExecuTorch on this host.

Both heads run on XNNPACK in full precision with one thread. Host figures are ratios of two things measured in
one run; they say nothing of a phone's milliseconds.

Latency: both heads are loaded in one process and run in turns, the first of each pair alternating; the ratio is
taken per round (each side: the median of its runs in the round), and the median over the rounds is reported.

Activation memory: in a process of its own for each head, how far the peak of resident memory rises from just
before the first execution to just after it, inputs made inside of that window. Program and packed weights are
resident before, so what rises is XNNPACK's workspace, the method's planned buffers, the inputs (eps too) and the
output. The kernel's peak counter is reset before (/proc/self/clear_refs), so this needs Linux.

    python benchmarks/head_overhead.py --network resnet18 --cut layer2 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--cut", default="layer2")
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--waist", choices=("none", "flat", "deep"), default="none", help="an encoder before the block")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=10, help="runs of each head per round")
    parser.add_argument("--repeats", type=int, default=5, help="processes per head for the memory figure")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(activation_bytes(arguments.memory_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = convert_both(arguments, Path(folder))
        report = {
            "network": arguments.network,
            "cut": arguments.cut,
            "pixels": arguments.pixels,
            "backend": "xnnpack",
            "precision": arguments.precision,
            "waist": arguments.waist,
            "threads": 1,
            "host": "not a phone",
            "latency": latency(files, arguments.rounds, arguments.runs),
            "activation_memory": memory(files, arguments.repeats),
        }
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def convert_both(arguments: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Write the plain and the protected head of one network with random weights."""
    import torch

    from converters.base import HeadProgram, TensorSpec
    from converters.to_executorch import ToExecutorch
    from toolkit.partition.network import load_network
    from toolkit.partition.split import split
    from toolkit.protect.waist.geometry import LEVEL, choose_geometry
    from toolkit.protect.waist.modules import Waist, narrowed
    from toolkit.protections.pripro import PriPro

    torch.manual_seed(0)
    shape = (3, arguments.pixels, arguments.pixels)
    halves = split(load_network(arguments.network, shape), arguments.cut, check=False)
    photos = [photo(arguments.pixels, index) for index in range(2)]
    head, wire = halves.head, None
    if arguments.waist != "none":
        deep = arguments.waist == "deep"
        geometry = choose_geometry(halves.cut.shape, shape, halves.cut.head_macs, deep=deep)
        head = narrowed(halves, Waist.empty(geometry)).head
        wire = TensorSpec(
            "smashed", "uint8", (-1, *geometry.shape), scale=(1.0,), zero_point=(LEVEL,), levels=(2 * LEVEL + 1,)
        )
    with torch.no_grad():
        smashed = head(photos[0])
    options = {} if arguments.waist == "none" else PriPro.behind_waist
    block = PriPro.build(tuple(smashed.shape[1:]), options).eval()
    programs = {
        "plain": HeadProgram(halves.head, None, photos[0], None, photos),
        "protected": HeadProgram(head, block, photos[0], torch.randn(smashed.shape), photos, wire),
    }
    files = {}
    for name, program in programs.items():
        (folder / name).mkdir()
        made = ToExecutorch().convert(program, folder / name, precision=arguments.precision, backend="xnnpack")
        if made.ops_delegated != made.ops_total:
            raise SystemExit(
                f"{made.ops_total - made.ops_delegated} operators of the {name} head are outside the delegate"
            )
        files[name] = folder / name / made.entry
    return files


def photo(pixels: int, index: int) -> torch.Tensor:
    """One of scikit-learn's two photos as [1,3,pixels,pixels], normalised as torchvision's classifiers expect."""
    import torch
    from sklearn.datasets import load_sample_images

    image = torch.from_numpy(load_sample_images().images[index].copy()).permute(2, 0, 1)[None] / 255
    image = torch.nn.functional.interpolate(image, (pixels, pixels), mode="bilinear", antialias=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def load(path: Path) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """Open a .pte or .tflite with one thread; return the runner and its inputs' shapes."""
    from converters.to_executorch import ToExecutorch
    from converters.to_tflite import ToTflite

    runner = (ToTflite() if path.suffix == ".tflite" else ToExecutorch()).load(path, threads=1)
    return runner, runner.shapes


def draw(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Random inputs; neither the time nor the memory of these kernels depends on the values."""
    import numpy as np

    generator = np.random.default_rng(0)
    return {name: generator.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def latency(files: dict[str, Path], rounds: int, runs: int) -> dict[str, float | int]:
    """Time both heads in turns."""
    runners = {name: load(path) for name, path in files.items()}
    feeds = {name: draw(shapes) for name, (_, shapes) in runners.items()}
    times: dict[str, list[float]] = {name: [] for name in files}
    for index in range(rounds + 1):
        taken: dict[str, list[float]] = {name: [] for name in files}
        for run in range(runs):
            for name in list(files) if (index + run) % 2 else list(files)[::-1]:
                start = time.perf_counter()
                runners[name][0].run(feeds[name])
                taken[name].append(1e3 * (time.perf_counter() - start))
        if index:  # the first round warms up
            for name, values in taken.items():
                times[name].append(statistics.median(values))
    ratios = [protected / plain for protected, plain in zip(times["protected"], times["plain"], strict=True)]
    return {
        "plain_ms": statistics.median(times["plain"]),
        "protected_ms": statistics.median(times["protected"]),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "rounds": rounds,
    }


def memory(files: dict[str, Path], repeats: int) -> dict[str, float | int]:
    """Measure both heads in fresh processes, alternating; medians."""
    taken: dict[str, list[int]] = {name: [] for name in files}
    for _ in range(repeats):
        for name, path in files.items():
            command = [sys.executable, "-W", "ignore", __file__, "--memory-of", str(path)]
            output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
            taken[name].append(int(output.split()[-1]))
    plain, protected = statistics.median(taken["plain"]), statistics.median(taken["protected"])
    return {
        "plain_bytes": int(plain),
        "protected_bytes": int(protected),
        "ratio": protected / plain,
        "repeats": repeats,
    }


def activation_bytes(path: Path) -> int:
    """Rise of this process's peak resident memory over the first execution of a head."""
    runner, shapes = load(path)
    draw(dict.fromkeys(shapes, (1,)))  # loads the generator's code
    Path("/proc/self/clear_refs").write_text("5")  # peak = what is resident now
    before = _resident("VmRSS")
    runner.run(draw(shapes))
    return _resident("VmHWM") - before


def _resident(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def table(report: dict[str, Any]) -> str:
    """Lay the report out for people."""
    speed, space = report["latency"], report["activation_memory"]
    rows = [
        f"{report['network']}@{report['cut']}, {report['pixels']} px, XNNPACK {report['precision']}, 1 thread, host",
        f"{'':22}{'plain':>12}{'protected':>12}{'ratio':>8}",
    ]
    for label, unit, figures, factor in (
        ("latency, ms", "ms", speed, 1.0),
        ("activation memory, MB", "bytes", space, 1e-6),
    ):
        plain, protected = (factor * figures[f"{side}_{unit}"] for side in ("plain", "protected"))
        rows.append(f"{label:22}{plain:>12.2f}{protected:>12.2f}{figures['ratio']:>8.3f}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
