"""ExecuTorch's XNNPACK in fp32 and int8 against onnxruntime fp32, on protected heads for 224-pixel photos.

    python benchmarks/latency/heads.py convert WORK    # this and profile need not be quiet
    python benchmarks/latency/heads.py profile WORK    # the runtimes' own profilers: where the time goes
    python benchmarks/latency/heads.py time WORK --out benchmarks/results/latency_heads.json    # wants a quiet machine

All variants of a head are timed interleaved, each in a process of its own, with their block and without it. The
portable kernels are timed for a few runs, to show why they are no default. Random weights: they do not change the
time. Each step goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from record import provenance, write
from safetensors.torch import save_file

from converters.base import Converter, HeadProgram
from converters.to_executorch import ToExecutorch
from converters.to_onnx import ToOnnx
from toolkit.measure.head_file import HeadFile
from toolkit.measure.heads import time_heads
from toolkit.measure.profile import slowest_operators
from toolkit.measure.timing import Effort
from toolkit.partition.network import load_network
from toolkit.partition.split import split
from toolkit.plan.between import block_of

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
#: the portable kernels take seconds on larger heads
SHOW_PORTABLE = ("alexnet", "mobilenet_v3_small")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["convert", "profile", "time"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", default="1", help="thread counts, such as 1,2")
    parser.add_argument("--seconds", type=float, default=2.0, help="least seconds of timed runs per variant")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found = []
    for network, cut in CASES:
        folder = arguments.work / f"{network}-{cut}"
        if arguments.step == "convert":
            convert(network, cut, folder)
            continue
        for name, step in steps_of(arguments, network, folder).items():
            if not (folder / f"{name}.json").exists():
                result = step()
                (folder / f"{name}.json").write_text(json.dumps(result))
                print(network, cut, name, json.dumps(result.get("ratios")), file=sys.stderr, flush=True)
        done = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        found.append({"network": network, "cut": cut} | done)
    if arguments.step != "convert":
        write(arguments.out, provenance() | {"default_backend": ToExecutorch.backends[0], "heads": found})


def steps_of(arguments: argparse.Namespace, network: str, folder: Path) -> dict[str, Callable[[], dict[str, object]]]:
    """What to do in one head's folder, by the name of the file that keeps the outcome."""
    if arguments.step == "profile":
        return {"operators": partial(profile, folder)}
    effort = Effort(50, arguments.seconds)
    counts = [int(text) for text in arguments.threads.split(",")]
    timings = {f"threads_{count}": partial(time_case, folder, count, effort) for count in counts}
    return timings | ({"portable": partial(portable, folder)} if network in SHOW_PORTABLE else {})


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


def inputs_of(folder: Path) -> dict[bool, Path]:
    return {True: folder / "image-and-eps.safetensors", False: folder / "image.safetensors"}


def time_case(folder: Path, threads: int, effort: Effort) -> dict[str, object]:
    """Time one head's variants against each other."""
    heads = head_files(folder)[:-1]
    rows = time_heads([(head, threads) for head in heads], inputs_of(folder), effort, lambda share, text: None)
    int8, onnx, bare, bare_int8, bare_onnx = (row.ratio_to_first or 0.0 for row in rows[1:])
    ratios = {
        "int8_speedup": 1 / int8,
        "int8_speedup_without_block": bare / bare_int8,
        "fp32_over_onnxruntime": 1 / onnx,
        "fp32_over_onnxruntime_without_block": bare / bare_onnx,
        "block_share_of_fp32": 1 - bare,
        "block_share_of_int8": 1 - bare_int8 / int8,
    }
    return {"ratios": ratios, "rows": [row.model_dump() for row in rows]}


def portable(folder: Path) -> dict[str, object]:
    """Run the portable kernels a few times beside XNNPACK."""
    heads = head_files(folder)
    pair = [(heads[0], 1), (heads[-1], 1)]
    slow = time_heads(pair, inputs_of(folder), Effort(5, 0.0), lambda share, text: None)[1]
    return {"ratios": {"portable_over_xnnpack": slow.ratio_to_first}, "rows": [slow.model_dump()]}


def profile(folder: Path) -> dict[str, object]:
    """Ask the runtimes' own profilers where the time of the protected heads goes."""
    inputs = inputs_of(folder)
    rows = [row for head in head_files(folder)[:3] for row in slowest_operators(head, inputs[head.takes_eps])]
    return {"rows": [row.model_dump() for row in rows]}


if __name__ == "__main__":
    main()
