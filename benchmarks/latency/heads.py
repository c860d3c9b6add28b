"""ExecuTorch's XNNPACK in fp32 and int8 against onnxruntime fp32, on protected heads for 224-pixel photos.

    python benchmarks/latency/heads.py convert WORK    # need not be quiet
    python benchmarks/latency/heads.py time WORK --out benchmarks/results/latency_heads.json    # wants a quiet machine

All variants of a head are timed interleaved, each in a process of its own, with 1 and 2 threads, with their block and
without it; then the runtimes' own profilers say where the time went. The portable kernels are timed for a few runs,
to show why they are no default. Random weights: they do not change the time. Each step goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from record import provenance, write
from safetensors.torch import save_file

from converters.base import Converter, HeadProgram
from converters.to_executorch import ToExecutorch
from converters.to_onnx import ToOnnx
from toolkit.measure import HeadFile, time_heads
from toolkit.measurement.profile import slowest_operators
from toolkit.measurement.timing import Effort
from toolkit.network import load_network
from toolkit.partition import split
from toolkit.plan import block_of

CASES = (
    ("resnet18", "layer1"),
    ("resnet18", "layer2"),
    ("vgg11_bn", "features.10"),
    ("alexnet", "features.5"),
    ("mobilenet_v3_small", "features.4"),
)
#: converter, precision, backend, with its block; ratios refer to the first
VARIANTS: tuple[tuple[type[Converter], str, str, bool], ...] = (
    (ToExecutorch, "fp32", "xnnpack", True),
    (ToExecutorch, "int8", "xnnpack", True),
    (ToOnnx, "fp32", "cpu", True),
    (ToExecutorch, "fp32", "xnnpack", False),
    (ToExecutorch, "int8", "xnnpack", False),
    (ToOnnx, "fp32", "cpu", False),
)
PORTABLE: tuple[type[Converter], str, str, bool] = (ToExecutorch, "fp32", "portable", True)
THREADS = (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["convert", "time"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0, help="least seconds of timed runs per variant")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "convert":
        for network, cut in CASES:
            convert(network, cut, arguments.work / f"{network}-{cut}")
        return
    found = []
    for network, cut in CASES:
        folder = arguments.work / f"{network}-{cut}"
        kept = folder / "times.json"
        if not kept.exists():
            kept.write_text(json.dumps(time_case(folder, Effort(50, arguments.seconds))))
        case = json.loads(kept.read_text())
        found.append({"network": network, "cut": cut} | case)
        print(network, cut, json.dumps(case["threads"]), file=sys.stderr, flush=True)
    write(arguments.out, provenance() | {"default_backend": ToExecutorch.backends[0], "heads": found})


def convert(network: str, cut: str, folder: Path) -> None:
    """Write every variant into a folder of its own, and the two kinds of inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = split(load_network(network, (3, 224, 224)), cut)
    block = block_of("pripro", halves.cut.shape)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 224, 224, generator=generator)
    eps = None if block is None else torch.randn(1, *block.eps_shape(), generator=generator)
    calibration = [torch.randn(1, 3, 224, 224, generator=generator) for _ in range(4)]
    for index, (kind, precision, backend, protected) in enumerate((*VARIANTS, PORTABLE)):
        out = folder / str(index)
        if out.exists():
            continue
        fused = (block, eps) if protected else (None, None)
        out.mkdir()
        program = HeadProgram(halves.head, fused[0], image, fused[1], calibration)
        made = kind().convert(program, out, precision=precision, backend=backend)
        print(folder.name, kind.name, precision, made.ops_delegated, made.ops_total, file=sys.stderr, flush=True)
    save_file({"image": image}, folder / "image.safetensors")
    save_file({"image": image} | ({} if eps is None else {"eps": eps}), folder / "image-and-eps.safetensors")


def head_files(folder: Path) -> list[HeadFile]:
    found = []
    for index, (kind, precision, backend, protected) in enumerate((*VARIANTS, PORTABLE)):
        entry = next((folder / str(index)).glob("head.*"))
        part = "head" if protected else "unprotected-head"
        found.append(HeadFile(part, kind.name, precision, backend, entry, takes_eps=protected))
    return found


def time_case(folder: Path, effort: Effort) -> dict[str, object]:
    """Time one head's variants with each thread count, profile them, and look at the portable kernels."""
    *heads, portable = head_files(folder)
    inputs = {True: folder / "image-and-eps.safetensors", False: folder / "image.safetensors"}
    rows, threads = [], {}
    for count in THREADS:
        timed = time_heads([(head, count) for head in heads], inputs, effort, lambda share, text: None)
        rows += timed
        int8, onnx, bare, bare_int8, bare_onnx = (row.ratio_to_first or 0.0 for row in timed[1:])
        threads[count] = {
            "int8_speedup": 1 / int8,
            "int8_speedup_without_block": bare / bare_int8,
            "fp32_over_onnxruntime": 1 / onnx,
            "fp32_over_onnxruntime_without_block": bare / bare_onnx,
            "block_share_of_fp32": 1 - bare,
            "block_share_of_int8": 1 - bare_int8 / int8,
        }
    slow = time_heads([(heads[0], 1), (portable, 1)], inputs, Effort(5, 0.0), lambda share, text: None)
    return {
        "threads": threads,
        "portable_over_xnnpack": slow[1].ratio_to_first,
        "rows": [row.model_dump() for row in [*rows, slow[1]]],
        "operators": [
            row.model_dump() for head in heads[:3] for row in slowest_operators(head, inputs[head.takes_eps])
        ],
    }


if __name__ == "__main__":
    main()
